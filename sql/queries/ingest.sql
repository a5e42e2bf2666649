-- affects: the ingest worker's jobs

-- name: start_batch
-- Set the batch to `processing`, also again after a crash; a completed batch keeps its status. No row if there is no
-- such batch. By primary key.
UPDATE intake.simplicity_batches
SET status = CASE WHEN status = 'completed' THEN status ELSE 'processing' END, updated_at = now()
WHERE id = %(batch_id)s::uuid
RETURNING id::text AS id, source_system, status, sha256, row_count, validated_count AS validated, failed_count AS failed, replaced_count AS replaced;

-- name: list_blocks
-- List the next blocks of the file, after block `after`. By primary key.
SELECT content
FROM intake.simplicity_files
WHERE batch_id = %(batch_id)s::uuid AND block_number > %(after)s
ORDER BY block_number
LIMIT %(limit)s;

-- name: advance_batch
-- Count a page of rows after the first `judged` rows, unless another worker has counted it: the row's lock makes a
-- second worker wait until the commit. By primary key.
UPDATE intake.simplicity_batches
SET validated_count = validated_count + %(validated)s, failed_count = failed_count + %(failed)s, updated_at = now()
WHERE id = %(batch_id)s::uuid AND status = 'processing' AND validated_count + failed_count = %(judged)s;

-- name: copy_raw_rows
-- Store a page of rows with their verdicts, as text.
COPY intake.simplicity_raw_rows (batch_id, row_number, status, raw, error) FROM STDIN;

-- name: create_staging
-- Create the staging table for judgments, because COPY has no ON CONFLICT. It is dropped at the commit, and is never in
-- the write-ahead log.
CREATE TEMPORARY TABLE staged_judgments (
    id uuid, case_number text, county text, plaintiff text, defendant text, judgment_amount numeric(14, 2),
    filing_date date, is_consumer_debt boolean, row_number integer, is_first boolean,
    also_in integer[]
) ON COMMIT DROP;

-- name: copy_judgments
-- Stage a page of judgments, as text. Two columns may be empty: is_consumer_debt (unknown), and also_in (further rows
-- of the page with the same values for the case).
COPY pg_temp.staged_judgments FROM STDIN (NULL '');

-- name: lock_judgments
-- Make other transactions that merge judgments wait until this one ends: two that meet the same cases in different
-- orders would block each other.
SELECT pg_advisory_xact_lock(hashtextextended('public.judgments', 0));

-- name: insert_judgments
-- Store the first staged row of each new case. Served by the unique index.
INSERT INTO public.judgments
    (id, case_number, county, plaintiff, defendant, judgment_amount, filing_date, is_consumer_debt, batch_id)
SELECT id, case_number, county, plaintiff, defendant, judgment_amount, filing_date, is_consumer_debt,
       %(batch_id)s::uuid
FROM pg_temp.staged_judgments
WHERE is_first
ON CONFLICT (county, case_number) DO NOTHING;

-- name: replace_judgments
-- Replace known cases of earlier files with the first staged row, and count in the batch those whose values change. A
-- case keeps its id, and its consumer debt if the new file does not report it. By the unique index of judgments.
WITH replaced AS (
    UPDATE public.judgments AS judgment
    SET plaintiff = known.plaintiff, defendant = known.defendant, judgment_amount = known.judgment_amount,
        filing_date = known.filing_date,
        is_consumer_debt = coalesce(known.is_consumer_debt, judgment.is_consumer_debt),
        batch_id = %(batch_id)s::uuid, updated_at = now()
    FROM (
        SELECT former.id AS judgment_id, staged.*,
               (lower(normalize(former.plaintiff, NFKC)), lower(normalize(former.defendant, NFKC)),
                former.judgment_amount, former.filing_date,
                coalesce(staged.is_consumer_debt, former.is_consumer_debt)) IS DISTINCT FROM
               (lower(normalize(staged.plaintiff, NFKC)), lower(normalize(staged.defendant, NFKC)),
                staged.judgment_amount, staged.filing_date, former.is_consumer_debt) AS is_changed
        FROM pg_temp.staged_judgments AS staged
        JOIN public.judgments AS former
            ON former.county = staged.county AND former.case_number = staged.case_number
        WHERE staged.is_first AND former.batch_id IS DISTINCT FROM %(batch_id)s::uuid
    ) AS known
    WHERE judgment.id = known.judgment_id
    RETURNING known.is_changed
)
UPDATE intake.simplicity_batches AS batch
SET replaced_count = batch.replaced_count + counted.cases
FROM (SELECT count(*) AS cases FROM replaced WHERE is_changed) AS counted
WHERE batch.id = %(batch_id)s::uuid AND counted.cases > 0;

-- name: fill_in_consumer_debt
-- Set whether a case is consumer debt where the stored row does not report it, from the first other row of this file
-- that does. By the unique index.
UPDATE public.judgments AS judgment
SET is_consumer_debt = known.is_consumer_debt, updated_at = now()
FROM (
    SELECT DISTINCT ON (county, case_number) county, case_number, is_consumer_debt
    FROM pg_temp.staged_judgments
    WHERE is_consumer_debt IS NOT NULL
    ORDER BY county, case_number, row_number
) AS known
WHERE judgment.county = known.county AND judgment.case_number = known.case_number
    AND judgment.batch_id = %(batch_id)s::uuid AND judgment.is_consumer_debt IS NULL;

-- name: refuse_conflicts
-- Fail the rows that contradict what this file has stored for their case, with the columns in which they differ, and
-- count them as failed in the batch. By the unique index of judgments and the primary keys.
WITH differing AS (
    SELECT staged.row_number || coalesce(staged.also_in, '{}') AS row_numbers,
           concat_ws('; ',
               CASE WHEN lower(normalize(judgment.plaintiff, NFKC)) <> lower(normalize(staged.plaintiff, NFKC))
                    THEN 'Plaintiff: ' || %(rule)s END,
               CASE WHEN lower(normalize(judgment.defendant, NFKC)) <> lower(normalize(staged.defendant, NFKC))
                    THEN 'Defendant: ' || %(rule)s END,
               CASE WHEN judgment.judgment_amount <> staged.judgment_amount THEN 'Judgment Amount: ' || %(rule)s END,
               CASE WHEN judgment.filing_date <> staged.filing_date THEN 'Filing Date: ' || %(rule)s END,
               CASE WHEN judgment.is_consumer_debt <> staged.is_consumer_debt THEN 'Consumer Debt: ' || %(rule)s END
           ) AS reason
    FROM pg_temp.staged_judgments AS staged
    JOIN public.judgments AS judgment
        ON judgment.county = staged.county AND judgment.case_number = staged.case_number
    WHERE judgment.id <> staged.id AND judgment.batch_id = %(batch_id)s::uuid
), refused AS (
    UPDATE intake.simplicity_raw_rows AS raw_row
    SET status = 'failed', error = differing.reason
    FROM differing
    WHERE differing.reason <> '' AND raw_row.batch_id = %(batch_id)s::uuid
        AND raw_row.row_number = ANY(differing.row_numbers)
    RETURNING raw_row.row_number
)
UPDATE intake.simplicity_batches AS batch
SET validated_count = batch.validated_count - counted.rows, failed_count = batch.failed_count + counted.rows
FROM (SELECT count(*) AS rows FROM refused) AS counted
WHERE batch.id = %(batch_id)s::uuid AND counted.rows > 0;

-- name: finish_batch
-- Complete the batch; no row if it is not being processed any more, or rows are left. A trigger sets the batch to
-- failed when its job fails. By primary key.
UPDATE intake.simplicity_batches
SET status = 'completed', error = NULL, updated_at = now(), completed_at = now()
WHERE id = %(batch_id)s::uuid AND status = 'processing' AND validated_count + failed_count = row_count
RETURNING id::text AS id, source_system, status, sha256, row_count, validated_count AS validated, failed_count AS failed, replaced_count AS replaced;

-- name: delete_file
-- Delete the file's blocks once its rows are stored. By primary key.
DELETE FROM intake.simplicity_files WHERE batch_id = %(batch_id)s::uuid;
