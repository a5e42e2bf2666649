-- affects: retention of jobs, events and raw rows

-- name: prune_jobs
-- Delete at most `limit` jobs that ended longer ago than these ages; null keeps them. Served by job_queue_updated_idx.
SELECT ops.prune_jobs(%(completed_for)s::interval, %(failed_for)s::interval, %(limit)s);

-- name: prune_intake_logs
-- Delete at most `limit` old events of the intake. Served by intake_logs_created_idx.
SELECT ops.prune_intake_logs(%(older_than)s::interval, %(limit)s);

-- name: prune_raw_rows
-- Delete at most `limit` old uploaded rows of completed batches. Served by simplicity_raw_rows_created_idx.
SELECT intake.prune_raw_rows(%(older_than)s::interval, %(limit)s);
