-- name: list_batches
-- The latest uploads. Served by simplicity_batches_created_idx.
-- commands: intake
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, row_count,
       validated_count AS validated, failed_count AS failed
FROM intake.simplicity_batches
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: list_intake_events
-- The latest events; their details stay in the database. Served by intake_logs_created_idx.
-- commands: intake
SELECT created_at, left(event_type, 200) AS event_type, left(source_system, 200) AS source_system, left(reason, 200) AS reason
FROM ops.intake_logs
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: find_batches
-- The uploads whose id lies between two; both are the beginning of an id, filled up. By primary key.
-- commands: intake
SELECT id::text AS id, left(status, 200) AS status, left(source_system, 200) AS source_system, created_at, row_count,
       validated_count AS validated, failed_count AS failed
FROM intake.simplicity_batches
WHERE id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY id
LIMIT %(limit)s;

-- name: list_row_faults
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
