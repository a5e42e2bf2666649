-- name: list_batches
-- The latest uploads. Served by simplicity_batches_created_idx.
SELECT id::text AS id, status, source_system, created_at, row_count, validated_count AS validated,
       failed_count AS failed
FROM intake.simplicity_batches
ORDER BY created_at DESC
LIMIT %(limit)s;

-- name: list_intake_events
-- The latest events; their details stay in the database. Served by intake_logs_created_idx.
SELECT created_at, event_type, source_system
FROM ops.intake_logs
ORDER BY created_at DESC
LIMIT %(limit)s;
