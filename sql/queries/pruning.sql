-- affects: retention of jobs, events and raw rows

-- name: prune_jobs
-- Finished jobs that are old enough, some of them. Served by job_queue_updated_idx.
SELECT ops.prune_jobs(%(completed_for)s::interval, %(failed_for)s::interval, %(limit)s);

-- name: prune_intake_logs
-- Old events of the intake, some of them. Served by intake_logs_created_idx.
SELECT ops.prune_intake_logs(%(older_than)s::interval, %(limit)s);

-- name: prune_raw_rows
-- Rows as uploaded, of batches completed long ago, some of them. Served by simplicity_raw_rows_created_idx.
SELECT intake.prune_raw_rows(%(older_than)s::interval, %(limit)s);
