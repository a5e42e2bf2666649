-- name: find_golden_batch (runbook)
-- Return the newest batch of this exact file, which only one golden path uploads. Served by
-- simplicity_batches_sha256_idx.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, is_golden_path
FROM intake.simplicity_batches
WHERE sha256 = %(sha256)s
ORDER BY created_at DESC
LIMIT 1;

-- name: find_golden_batch (civil)
-- Return the newest batch of this exact file, which only one golden path uploads. The system stores no hash of an
-- upload, so the file's name ends with the beginning of the hash. No index has the name: a few thousand uploads are
-- scanned.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source, 200) AS source_system, created_at, true AS is_golden_path
FROM ops.ingest_batches
WHERE filename LIKE 'golden-path-%%' AND right(filename, 20) = left(%(sha256)s::text, 16) || '.csv'
ORDER BY created_at DESC
LIMIT 1;

-- name: list_golden_batches (runbook)
-- List the marked batches that still exist, oldest first. Served by simplicity_batches_golden_path_idx.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, is_golden_path
FROM intake.simplicity_batches
WHERE is_golden_path
ORDER BY created_at
LIMIT %(limit)s;

-- name: list_golden_batches (civil)
-- List the marked batches that can be removed: none, because rows stay in this system.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source, 200) AS source_system, created_at, true AS is_golden_path
FROM ops.ingest_batches
WHERE false
LIMIT %(limit)s;

-- name: count_batch_rows (runbook)
-- Count the rows of one batch by status. By primary key.
-- commands: golden-path
SELECT count(*) AS rows, count(*) FILTER (WHERE status = 'validated') AS validated,
       count(*) FILTER (WHERE status = 'failed') AS failed
FROM intake.simplicity_raw_rows
WHERE batch_id = %(batch_id)s::uuid;

-- name: count_batch_rows (civil)
-- Count the rows of one batch by status. Served by the unique index of the batch's rows.
-- commands: golden-path
SELECT count(*) AS rows, count(*) FILTER (WHERE status = 'success') AS validated,
       count(*) FILTER (WHERE status = 'error') AS failed
FROM ops.intake_logs
WHERE batch_id = %(batch_id)s::uuid AND row_index IS NOT NULL;

-- name: list_batch_jobs (runbook)
-- List the jobs with these idempotency keys, oldest first. Served by the unique index of the idempotency keys.
-- commands: golden-path
SELECT id::text AS id, left(job_type, 200) AS job_type, left(status, 200) AS status, updated_at
FROM ops.job_queue
WHERE idempotency_key = ANY (%(keys)s::text[])
ORDER BY created_at;

-- name: list_batch_jobs (civil)
-- List the jobs of one batch: none, because the API stores an upload's rows itself.
-- commands: golden-path
SELECT id::text AS id, left(job_type::text, 200) AS job_type, left(status::text, 200) AS status, updated_at
FROM ops.job_queue
WHERE false AND id::text = ANY (%(keys)s::text[]);

-- name: remove_golden_batch (runbook)
-- Remove a marked batch with all that it caused; false if it does not exist any more. Refuses any other batch.
-- commands: golden-path
SELECT intake.remove_golden_path_batch(%(batch_id)s::uuid) AS was_there;

-- name: remove_golden_batch (civil)
-- Return false: nothing is removed from this system.
-- commands: golden-path
SELECT %(batch_id)s::uuid IS NULL AS was_there;
