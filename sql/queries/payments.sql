-- affects: files of payments

-- name: create_payment_staging
-- Create the staging table for payments, whose cases are looked up from it. It is dropped at the commit, and is never
-- in the write-ahead log.
CREATE TEMPORARY TABLE staged_payments (
    row_number integer, case_number text, county text, amount numeric(14, 2), received_on date, reference text
) ON COMMIT DROP;

-- name: copy_payments
-- Stage a page of payments, as text.
COPY pg_temp.staged_payments FROM STDIN;

-- name: insert_payments
-- Store the staged payments on known cases; a reference that the case has already stays as it is. References are
-- compared without leading zeros, which spreadsheets drop, and the stored ones in upper case, because earlier versions
-- stored them as written. A trigger makes their judgments due (enforcement.review_paid). Served by the unique indexes
-- of judgments and payments; in order, because two workers that meet the same payments in different orders would block
-- each other.
INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
SELECT DISTINCT ON (judgment.id, ltrim(staged.reference, '0'))
       judgment.id, staged.reference, staged.received_on, staged.amount
FROM pg_temp.staged_payments AS staged
JOIN public.judgments AS judgment
    ON judgment.case_number = staged.case_number AND judgment.county = staged.county
WHERE NOT EXISTS (
    SELECT FROM enforcement.payments AS payment
    WHERE payment.judgment_id = judgment.id AND ltrim(upper(payment.reference), '0') = ltrim(staged.reference, '0')
)
ORDER BY judgment.id, ltrim(staged.reference, '0'), staged.row_number
ON CONFLICT (judgment_id, reference) DO NOTHING;

-- name: refuse_payments
-- Mark the rows of staged payments as failed, with the reason, if their case is unknown, or the stored payment with
-- their reference differs in its day, its amount or the leading zeros, and count them in the batch. By the primary key
-- of the rows, and the unique indexes of judgments and payments.
WITH refused AS (
    UPDATE intake.simplicity_raw_rows AS raw_row
    SET status = 'failed',
        error = CASE
            WHEN judged.judgment_id IS NULL THEN 'Case Number: no such case in this county'
            WHEN judged.reference <> judged.own_reference
            THEN 'Reference: known for this case but for zeros in front, which spreadsheets drop'
            ELSE 'Reference: known for this case with another day or amount'
        END
    FROM (
        SELECT staged.row_number, staged.reference AS own_reference, judgment.id AS judgment_id, payment.reference,
               (payment.received_on, payment.amount) IS NOT DISTINCT FROM (staged.received_on, staged.amount) AS is_same
        FROM pg_temp.staged_payments AS staged
        LEFT JOIN public.judgments AS judgment
            ON judgment.case_number = staged.case_number AND judgment.county = staged.county
        LEFT JOIN LATERAL (
            SELECT upper(payment.reference) AS reference, payment.received_on, payment.amount
            FROM enforcement.payments AS payment
            WHERE payment.judgment_id = judgment.id
                AND ltrim(upper(payment.reference), '0') = ltrim(staged.reference, '0')
            ORDER BY upper(payment.reference) = staged.reference DESC
            LIMIT 1
        ) AS payment ON true
    ) AS judged
    WHERE raw_row.batch_id = %(batch_id)s::uuid AND raw_row.row_number = judged.row_number
        AND (judged.judgment_id IS NULL OR judged.reference IS DISTINCT FROM judged.own_reference OR NOT judged.is_same)
    RETURNING raw_row.row_number
)
UPDATE intake.simplicity_batches AS batch
SET validated_count = batch.validated_count - counted.rows, failed_count = batch.failed_count + counted.rows
FROM (SELECT count(*) AS rows FROM refused) AS counted
WHERE batch.id = %(batch_id)s::uuid AND counted.rows > 0;
