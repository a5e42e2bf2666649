-- name: list_batches (runbook)
-- List the latest uploads, newest first. Served by simplicity_batches_created_idx.
-- commands: intake
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, row_count,
       validated_count AS validated, failed_count AS failed
FROM intake.simplicity_batches
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: list_batches (civil)
-- List the latest uploads, newest first. No index has their time: a few thousand are scanned. A row that could not be
-- stored counts as failed, whatever the batch's own counts are: it is in the log of rows, read by its unique index.
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
-- List the latest events of the intake, newest first, without their details. Served by intake_logs_created_idx.
-- commands: intake
SELECT created_at, left(event_type, 200) AS event_type, left(source_system, 200) AS source_system, left(reason, 200) AS reason
FROM ops.intake_logs
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: list_intake_events (civil)
-- List the latest rows of the latest uploads, newest first, without their content. No index has the time of a row, so
-- the last rows of each upload are read by the unique index; events that belong to no upload are left out.
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
-- List the uploads whose id is between two: the beginning of an id, filled up to the lowest and the highest. By primary
-- key.
-- commands: intake
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, row_count,
       validated_count AS validated, failed_count AS failed
FROM intake.simplicity_batches
WHERE id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY id
LIMIT %(limit)s;

-- name: find_batches (civil)
-- List the uploads whose id is between two: the beginning of an id, filled up to the lowest and the highest. By primary
-- key. Rows are counted as in list_batches.
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
-- List the reasons why rows of one batch failed ("County: empty") with the number of rows, the most frequent first. By
-- the primary key of the rows. Only the beginning of an error is split, because an error may have any length.
-- commands: intake
SELECT left(fault, 200) AS fault, count(*) AS rows
FROM intake.simplicity_raw_rows
CROSS JOIN LATERAL unnest(string_to_array(left(error, 2000), '; ')) AS fault
WHERE batch_id = %(batch_id)s::uuid AND status = 'failed'
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(limit)s;

-- name: list_row_faults (civil)
-- List the reasons why rows of one batch did not pass, an error code or a status, with the number of rows, the most
-- frequent first. By the unique index of the batch's rows. The texts of errors are not read, because they may quote the
-- row.
-- commands: intake
SELECT left(CASE WHEN status = 'error' THEN coalesce(error_code, 'no code') ELSE status END, 200) AS fault,
       count(*) AS rows
FROM ops.intake_logs
WHERE batch_id = %(batch_id)s::uuid AND row_index IS NOT NULL AND status <> 'success'
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(limit)s;
