-- affects: uploads, intake

-- name: insert_batch
-- Store a new batch, one per uploaded file, and return its id.
INSERT INTO intake.simplicity_batches (source_system, file_name, sha256, header, row_count, is_golden_path)
VALUES (%(source_system)s, %(file_name)s, %(sha256)s, %(header)s, %(row_count)s, %(is_golden_path)s)
RETURNING id::text;

-- name: insert_block
-- Store a part of the file, unchanged.
INSERT INTO intake.simplicity_files (batch_id, block_number, content)
VALUES (%(batch_id)s::uuid, %(block_number)s, %(content)s);

-- name: lock_file
-- Make other transactions that store the same file wait until this one ends, because they would not see each other's
-- batch.
SELECT pg_advisory_xact_lock(hashtextextended('intake.file:' || %(sha256)s, 0));

-- name: find_file
-- Return the id of the newest batch of this exact file, failed batches left out; no row if there is none. Served by
-- simplicity_batches_sha256_idx.
SELECT id::text
FROM intake.simplicity_batches
WHERE sha256 = %(sha256)s AND status <> 'failed'
ORDER BY created_at DESC
LIMIT 1;

-- name: list_failed_rows
-- List refused rows in the order of the file, after row number `after`. Served by simplicity_raw_rows_failed_idx.
SELECT row_number, error
FROM intake.simplicity_raw_rows
WHERE batch_id = %(batch_id)s::uuid AND status = 'failed' AND row_number > %(after)s
ORDER BY row_number
LIMIT %(limit)s;

-- name: read_batch
-- Return the batch with its counts; no row if there is no such batch. By primary key.
SELECT id::text AS id, status, source_system, created_at, row_count, validated_count AS validated,
       failed_count AS failed
FROM intake.simplicity_batches
WHERE id = %(batch_id)s::uuid;

-- name: log_intake_event
-- Add one event to the log of the intake.
INSERT INTO ops.intake_logs (event_type, source_system, details, reason)
VALUES (%(event_type)s, %(source_system)s, %(details)s::jsonb, %(reason)s);

-- name: read_intake_state
-- Return how many jobs wait for the ingest worker, and when the last batch came, null before the first. Served by
-- job_queue_claim_idx and simplicity_batches_created_idx.
SELECT
    (SELECT count(*) FROM ops.job_queue WHERE status = 'pending' AND job_type = %(job_type)s) AS pending_jobs,
    (SELECT max(created_at) FROM intake.simplicity_batches) AS last_batch_at;

-- name: prove_upload
-- Write and delete one row in the API's own schema. Fails if the database accepts no writes from the API.
SELECT intake.prove_write() AS proven;
