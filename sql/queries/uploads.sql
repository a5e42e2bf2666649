-- name: insert_batch
-- One uploaded file.
INSERT INTO intake.simplicity_batches (source_system, file_name, sha256, row_count, is_golden_path)
VALUES (%(source_system)s, %(file_name)s, %(sha256)s, %(row_count)s, %(is_golden_path)s)
RETURNING id::text;

-- name: lock_file
-- Two uploads of one file at the same time would not see each other.
SELECT pg_advisory_xact_lock(hashtextextended('intake.file:' || %(sha256)s, 0));

-- name: find_file
-- Was this very file stored before? Served by simplicity_batches_sha256_idx.
SELECT id::text
FROM intake.simplicity_batches
WHERE sha256 = %(sha256)s AND status <> 'failed'
ORDER BY created_at DESC
LIMIT 1;

-- name: list_failed_rows
-- One page of the rows that were refused. Served by simplicity_raw_rows_failed_idx.
SELECT row_number, error
FROM intake.simplicity_raw_rows
WHERE batch_id = %(batch_id)s::uuid AND status = 'failed' AND row_number > %(after)s
ORDER BY row_number
LIMIT %(limit)s;

-- name: copy_rows
-- The rows of one batch, streamed as text.
COPY intake.simplicity_raw_rows (batch_id, row_number, raw) FROM STDIN;

-- name: set_row_count
-- Known only when the last row was copied. By primary key.
UPDATE intake.simplicity_batches SET row_count = %(row_count)s WHERE id = %(batch_id)s::uuid;

-- name: read_batch
-- One batch with its counts. By primary key.
SELECT id::text AS id, status, source_system, created_at, row_count, validated_count AS validated,
       failed_count AS failed
FROM intake.simplicity_batches
WHERE id = %(batch_id)s::uuid;

-- name: start_batch
-- A worker begins, or begins again after a crash. By primary key.
UPDATE intake.simplicity_batches
SET status = 'processing', updated_at = now()
WHERE id = %(batch_id)s::uuid
RETURNING row_count;

-- name: list_rows
-- The rows of one page that are not judged yet. By primary key; bounded on both sides, because with a LIMIT and the
-- statistics of a table that has just been filled, the planner reads all the rest of the batch for each page.
SELECT row_number, raw
FROM intake.simplicity_raw_rows
WHERE batch_id = %(batch_id)s::uuid AND row_number BETWEEN %(first)s AND %(last)s AND status = 'pending'
ORDER BY row_number;

-- name: mark_failed_rows
-- Writes why rows are no judgments. By primary key.
UPDATE intake.simplicity_raw_rows AS raw_row
SET status = 'failed', error = verdict.error
FROM unnest(%(row_numbers)s::integer[], %(errors)s::text[]) AS verdict (row_number, error)
WHERE raw_row.batch_id = %(batch_id)s::uuid AND raw_row.row_number = verdict.row_number;

-- name: mark_valid_rows
-- What is still open of a page that was judged. By primary key.
UPDATE intake.simplicity_raw_rows
SET status = 'validated'
WHERE batch_id = %(batch_id)s::uuid AND row_number BETWEEN %(first)s AND %(last)s AND status = 'pending';

-- name: create_staging
-- Judgments on their way: COPY has no ON CONFLICT. Gone at the commit, and never in the write-ahead log.
CREATE TEMPORARY TABLE staged_judgments (
    case_number text, county text, plaintiff text, defendant text, judgment_amount numeric(14, 2), filing_date date
) ON COMMIT DROP;

-- name: copy_judgments
-- One page of them, as text.
COPY pg_temp.staged_judgments FROM STDIN;

-- name: upsert_judgments
-- All that was staged; the later file wins. Served by the unique index (county, case_number).
INSERT INTO public.judgments AS judgment
    (case_number, county, plaintiff, defendant, judgment_amount, filing_date, batch_id)
SELECT case_number, county, plaintiff, defendant, judgment_amount, filing_date, %(batch_id)s::uuid
FROM pg_temp.staged_judgments
ON CONFLICT (county, case_number) DO UPDATE
SET plaintiff = excluded.plaintiff, defendant = excluded.defendant, judgment_amount = excluded.judgment_amount,
    filing_date = excluded.filing_date, batch_id = excluded.batch_id, updated_at = now();

-- name: finish_batch
-- Counts what became of the rows, and completes the batch (it fails with its job, in the database). By primary key.
UPDATE intake.simplicity_batches AS batch
SET status = 'completed', error = NULL, validated_count = counted.validated, failed_count = counted.failed,
    updated_at = now(), completed_at = now()
FROM (
    SELECT count(*) FILTER (WHERE status = 'validated') AS validated,
           count(*) FILTER (WHERE status = 'failed') AS failed
    FROM intake.simplicity_raw_rows
    WHERE batch_id = %(batch_id)s::uuid
) AS counted
WHERE batch.id = %(batch_id)s::uuid
RETURNING batch.id::text AS id, batch.status, batch.source_system, batch.created_at, batch.row_count,
          batch.validated_count AS validated, batch.failed_count AS failed;

-- name: log_intake_event
-- One line of the intake's log.
INSERT INTO ops.intake_logs (event_type, source_system, details)
VALUES (%(event_type)s, %(source_system)s, %(details)s::jsonb);

-- name: read_intake_state
-- What the intake's health shows. Served by job_queue_claim_idx and simplicity_batches_created_idx.
SELECT
    (SELECT count(*) FROM ops.job_queue WHERE status = 'pending' AND job_type = %(job_type)s) AS pending_jobs,
    (SELECT max(created_at) FROM intake.simplicity_batches) AS last_batch_at;
