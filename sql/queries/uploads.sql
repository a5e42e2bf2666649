-- affects: uploads, intake

-- name: insert_batch
-- One uploaded file.
INSERT INTO intake.simplicity_batches (source_system, file_name, sha256, header, row_count, is_golden_path)
VALUES (%(source_system)s, %(file_name)s, %(sha256)s, %(header)s, %(row_count)s, %(is_golden_path)s)
RETURNING id::text;

-- name: insert_block
-- A part of the file, as it came.
INSERT INTO intake.simplicity_files (batch_id, block_number, content)
VALUES (%(batch_id)s::uuid, %(block_number)s, %(content)s);

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

-- name: read_batch
-- One batch with its counts. By primary key.
SELECT id::text AS id, status, source_system, created_at, row_count, validated_count AS validated,
       failed_count AS failed
FROM intake.simplicity_batches
WHERE id = %(batch_id)s::uuid;

-- name: log_intake_event
-- One line of the intake's log.
INSERT INTO ops.intake_logs (event_type, source_system, details, reason)
VALUES (%(event_type)s, %(source_system)s, %(details)s::jsonb, %(reason)s);

-- name: read_intake_state
-- What the intake's health shows. Served by job_queue_claim_idx and simplicity_batches_created_idx.
SELECT
    (SELECT count(*) FROM ops.job_queue WHERE status = 'pending' AND job_type = %(job_type)s) AS pending_jobs,
    (SELECT max(created_at) FROM intake.simplicity_batches) AS last_batch_at;

-- name: prove_upload
-- Fails when the database takes no writes of the API's. Writes one row and deletes it.
SELECT intake.prove_write() AS proven;
