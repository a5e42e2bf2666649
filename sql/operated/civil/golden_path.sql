-- name: find_golden_batch
-- The batch that a golden path uploaded. The system stores no hash of an upload, so the file's name ends with the beginning
-- of it. No index has the name: a few thousand uploads are looked through.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source, 200) AS source_system, created_at, true AS is_golden_path
FROM ops.ingest_batches
WHERE filename LIKE 'golden-path-%%' AND right(filename, 20) = left(%(sha256)s::text, 16) || '.csv'
ORDER BY created_at DESC
LIMIT 1;

-- name: list_golden_batches
-- What golden paths left behind and can be taken away: nothing, because rows stay in this system.
-- commands: golden-path
SELECT id::text AS id, left(status, 200) AS status, left(source, 200) AS source_system, created_at, true AS is_golden_path
FROM ops.ingest_batches
WHERE false
LIMIT %(limit)s;

-- name: count_batch_rows
-- How the rows of one batch stand. Served by the unique index of the batch's rows.
-- commands: golden-path
SELECT count(*) AS rows, count(*) FILTER (WHERE status = 'success') AS validated,
       count(*) FILTER (WHERE status = 'error') AS failed
FROM ops.intake_logs
WHERE batch_id = %(batch_id)s::uuid AND row_index IS NOT NULL;

-- name: list_batch_jobs
-- The jobs of one batch: none, because the API stores an upload's rows itself.
-- commands: golden-path
SELECT id::text AS id, left(job_type::text, 200) AS job_type, left(status::text, 200) AS status, updated_at
FROM ops.job_queue
WHERE false AND id::text = ANY (%(keys)s::text[]);

-- name: remove_golden_batch
-- Nothing is taken away from this system, so nothing was there to take away.
-- commands: golden-path
SELECT %(batch_id)s::uuid IS NULL AS was_there;
