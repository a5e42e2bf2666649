-- name: list_batches (runbook)
-- The latest uploads. Served by simplicity_batches_created_idx.
-- commands: intake
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, row_count,
       validated_count AS validated, failed_count AS failed
FROM intake.simplicity_batches
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: list_batches (civil)
-- The latest uploads. No index has their time: a few thousand are looked through. A row that could not be stored counts as
-- failed, whatever the batch says of it: the log of its rows knows, by its unique index.
-- commands: intake
SELECT batch.id::text AS id, left(batch.status, 200) AS status, left(batch.source, 200) AS source_system, batch.created_at,
       batch.row_count_raw AS row_count,
       least(batch.row_count_valid, greatest(batch.row_count_raw - faults.rows, 0))::integer AS validated,
       greatest(batch.row_count_invalid, faults.rows)::integer AS failed
FROM (
    SELECT id, status, source, created_at, row_count_raw, row_count_valid, row_count_invalid
    FROM ops.ingest_batches
    ORDER BY created_at DESC
    LIMIT %(limit)s
) AS batch
CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM ops.intake_logs WHERE batch_id = batch.id AND row_index IS NOT NULL AND status = 'error'
) AS faults
ORDER BY batch.created_at DESC;

-- name: list_intake_events (runbook)
-- The latest events; their details stay in the database. Served by intake_logs_created_idx.
-- commands: intake
SELECT created_at, left(event_type, 200) AS event_type, left(source_system, 200) AS source_system, left(reason, 200) AS reason
FROM ops.intake_logs
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: list_intake_events (civil)
-- The latest rows of the latest uploads; what they hold stays in the database. No index has the time of a row, so the last
-- rows of each upload are taken by the unique index; events of no upload are not among them.
-- commands: intake
SELECT log.created_at, left(coalesce(log.status, log.level, 'unknown'), 200) AS event_type,
       left(batch.source, 200) AS source_system, left(log.error_code, 200) AS reason
FROM (
    SELECT id, source FROM ops.ingest_batches ORDER BY created_at DESC LIMIT %(limit)s
) AS batch
CROSS JOIN LATERAL (
    SELECT created_at, status, level, error_code
    FROM ops.intake_logs
    WHERE batch_id = batch.id
    ORDER BY row_index DESC
    LIMIT %(limit)s
) AS log
ORDER BY log.created_at DESC
LIMIT %(limit)s;

-- name: find_batches (runbook)
-- The uploads whose id lies between two; both are the beginning of an id, filled up. By primary key.
-- commands: intake
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, row_count,
       validated_count AS validated, failed_count AS failed
FROM intake.simplicity_batches
WHERE id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY id
LIMIT %(limit)s;

-- name: find_batches (civil)
-- The uploads whose id lies between two; both are the beginning of an id, filled up. By primary key. Counted as in
-- list_batches.
-- commands: intake
SELECT batch.id::text AS id, left(batch.status, 200) AS status, left(batch.source, 200) AS source_system, batch.created_at,
       batch.row_count_raw AS row_count,
       least(batch.row_count_valid, greatest(batch.row_count_raw - faults.rows, 0))::integer AS validated,
       greatest(batch.row_count_invalid, faults.rows)::integer AS failed
FROM (
    SELECT id, status, source, created_at, row_count_raw, row_count_valid, row_count_invalid
    FROM ops.ingest_batches
    WHERE id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
    ORDER BY id
    LIMIT %(limit)s
) AS batch
CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM ops.intake_logs WHERE batch_id = batch.id AND row_index IS NOT NULL AND status = 'error'
) AS faults
ORDER BY batch.id;

-- name: list_row_faults (runbook)
-- Why rows of one batch did not pass: each fault ("County: empty") with its rows, the most frequent first. By the primary key
-- of the rows. Of an error no more than its beginning is taken apart: it may be of any length.
-- commands: intake
SELECT left(fault, 200) AS fault, count(*) AS rows
FROM intake.simplicity_raw_rows
CROSS JOIN LATERAL unnest(string_to_array(left(error, 2000), '; ')) AS fault
WHERE batch_id = %(batch_id)s::uuid AND status = 'failed'
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(limit)s;

-- name: list_row_faults (civil)
-- Why rows of one batch did not pass: each code with its rows, the most frequent first. By the unique index of the batch's
-- rows. What the system says besides the code may repeat the row.
-- commands: intake
SELECT left(CASE WHEN status = 'error' THEN coalesce(error_code, 'no code') ELSE status END, 200) AS fault,
       count(*) AS rows
FROM ops.intake_logs
WHERE batch_id = %(batch_id)s::uuid AND row_index IS NOT NULL AND status <> 'success'
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(limit)s;
