-- name: start_batch
-- A worker begins, or begins again after a crash. A completed batch stays as it is. By primary key.
UPDATE intake.simplicity_batches
SET status = CASE WHEN status = 'completed' THEN status ELSE 'processing' END, updated_at = now()
WHERE id = %(batch_id)s::uuid
RETURNING id::text AS id, source_system, status, sha256, row_count, validated_count AS validated, failed_count AS failed;

-- name: list_blocks
-- The next blocks of the file, in its order. By primary key.
SELECT content
FROM intake.simplicity_files
WHERE batch_id = %(batch_id)s::uuid AND block_number > %(after)s
ORDER BY block_number
LIMIT %(limit)s;

-- name: advance_batch
-- Counts a page, unless another worker has stored it: the row's lock keeps two apart until the commit. By primary key.
UPDATE intake.simplicity_batches
SET validated_count = validated_count + %(validated)s, failed_count = failed_count + %(failed)s, updated_at = now()
WHERE id = %(batch_id)s::uuid AND status = 'processing' AND validated_count + failed_count = %(judged)s;

-- name: copy_raw_rows
-- One page of rows with their verdicts, as text.
COPY intake.simplicity_raw_rows (batch_id, row_number, status, raw, error) FROM STDIN;

-- name: create_staging
-- Judgments on their way: COPY has no ON CONFLICT. Gone at the commit, and never in the write-ahead log.
CREATE TEMPORARY TABLE staged_judgments (
    id uuid, case_number text, county text, plaintiff text, defendant text, judgment_amount numeric(14, 2),
    filing_date date, is_consumer_debt boolean
) ON COMMIT DROP;

-- name: copy_judgments
-- One page of them, as text. Of all columns only is_consumer_debt may be empty: not known.
COPY pg_temp.staged_judgments FROM STDIN (NULL '');

-- name: lock_judgments
-- One worker merges at a time: two that meet the same cases in different orders would block each other.
SELECT pg_advisory_xact_lock(hashtextextended('public.judgments', 0));

-- name: merge_judgments
-- All that was staged; the later file wins, and a known case keeps its id. A file that does not say whether it is
-- consumer debt takes nothing back. Served by the unique index.
INSERT INTO public.judgments AS judgment
    (id, case_number, county, plaintiff, defendant, judgment_amount, filing_date, is_consumer_debt, batch_id)
SELECT id, case_number, county, plaintiff, defendant, judgment_amount, filing_date, is_consumer_debt,
       %(batch_id)s::uuid
FROM pg_temp.staged_judgments
ON CONFLICT (county, case_number) DO UPDATE
SET plaintiff = excluded.plaintiff, defendant = excluded.defendant, judgment_amount = excluded.judgment_amount,
    filing_date = excluded.filing_date,
    is_consumer_debt = coalesce(excluded.is_consumer_debt, judgment.is_consumer_debt), batch_id = excluded.batch_id, updated_at = now();

-- name: finish_batch
-- Completes the batch when every row is judged (it fails with its job, in the database). By primary key.
UPDATE intake.simplicity_batches
SET status = 'completed', error = NULL, updated_at = now(), completed_at = now()
WHERE id = %(batch_id)s::uuid AND status = 'processing' AND validated_count + failed_count = row_count
RETURNING id::text AS id, source_system, status, sha256, row_count, validated_count AS validated, failed_count AS failed;

-- name: delete_file
-- The file is in its rows now. By primary key.
DELETE FROM intake.simplicity_files WHERE batch_id = %(batch_id)s::uuid;
