-- name: create_payment_staging
-- Payments on their way: whose they are is found here. Gone at the commit, and never in the write-ahead log.
CREATE TEMPORARY TABLE staged_payments (
    row_number integer, case_number text, county text, amount numeric(14, 2), received_on date, reference text
) ON COMMIT DROP;

-- name: copy_payments
-- One page of them, as text.
COPY pg_temp.staged_payments FROM STDIN;

-- name: insert_payments
-- All that was staged and belongs to a known case; a reference that the case has already is left as it is. Makes their
-- judgments due (enforcement.review_paid). Served by the unique indexes of judgments and payments; in order, because two
-- workers that meet the same payments in different orders would block each other.
INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
SELECT judgment.id, staged.reference, staged.received_on, staged.amount
FROM pg_temp.staged_payments AS staged
JOIN public.judgments AS judgment
    ON judgment.case_number = staged.case_number AND judgment.county = staged.county
ORDER BY judgment.id, staged.reference, staged.row_number
ON CONFLICT (judgment_id, reference) DO NOTHING;

-- name: refuse_payments
-- Rows that are no payment on a known case, or not the one that their reference stands for: kept with the reason, and
-- counted as failed. By the primary key of the rows, and the unique indexes of judgments and payments.
WITH refused AS (
    UPDATE intake.simplicity_raw_rows AS raw_row
    SET status = 'failed',
        error = CASE
            WHEN judgment.id IS NULL THEN 'Case Number: no such case in this county'
            ELSE 'Reference: known for this case with another day or amount'
        END
    FROM pg_temp.staged_payments AS staged
    LEFT JOIN public.judgments AS judgment
        ON judgment.case_number = staged.case_number AND judgment.county = staged.county
    LEFT JOIN enforcement.payments AS payment
        ON payment.judgment_id = judgment.id AND payment.reference = staged.reference
    WHERE raw_row.batch_id = %(batch_id)s::uuid AND raw_row.row_number = staged.row_number
        AND (payment.received_on, payment.amount) IS DISTINCT FROM (staged.received_on, staged.amount)
    RETURNING raw_row.row_number
)
UPDATE intake.simplicity_batches AS batch
SET validated_count = batch.validated_count - counted.rows, failed_count = batch.failed_count + counted.rows
FROM (SELECT count(*) AS rows FROM refused) AS counted
WHERE batch.id = %(batch_id)s::uuid AND counted.rows > 0;
