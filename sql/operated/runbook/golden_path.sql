-- name: find_golden_batch
-- The batch that a golden path uploaded, by its file, which no other run has. Served by simplicity_batches_sha256_idx.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, is_golden_path
FROM intake.simplicity_batches
WHERE sha256 = %(sha256)s
ORDER BY created_at DESC
LIMIT 1;

-- name: list_golden_batches
-- What golden paths left behind, oldest first. Served by simplicity_batches_golden_path_idx.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, is_golden_path
FROM intake.simplicity_batches
WHERE is_golden_path
ORDER BY created_at
LIMIT %(limit)s;

-- name: count_batch_rows
-- How the rows of one batch stand. By primary key.
-- commands: golden-path
SELECT count(*) AS rows, count(*) FILTER (WHERE status = 'validated') AS validated,
       count(*) FILTER (WHERE status = 'failed') AS failed
FROM intake.simplicity_raw_rows
WHERE batch_id = %(batch_id)s::uuid;

-- name: list_batch_jobs
-- The jobs of one batch. Served by the unique index of the idempotency keys.
-- commands: golden-path
SELECT id::text AS id, left(job_type, 200) AS job_type, left(status, 200) AS status, updated_at
FROM ops.job_queue
WHERE idempotency_key = ANY (%(keys)s::text[])
ORDER BY created_at;

-- name: remove_golden_batch
-- Take a batch of test data away with all that came of it; false when it is gone already. Refuses any other batch.
-- commands: golden-path
SELECT intake.remove_golden_path_batch(%(batch_id)s::uuid) AS was_there;
