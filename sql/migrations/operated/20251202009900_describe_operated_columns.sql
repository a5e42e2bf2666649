-- Says in the database itself what is not plain from a column's name: Supabase's table editor shows it in the header.

COMMENT ON COLUMN ops.worker_heartbeats.current_job_id IS 'What the worker is at; null while it waits.';
COMMENT ON COLUMN ops.job_queue.run_at IS 'Not before; later than created_at after a retry.';
COMMENT ON COLUMN ops.job_queue.attempts IS 'Counts claims: 1 while the first attempt runs.';
COMMENT ON COLUMN ops.job_queue.locked_by IS 'The worker_id that claimed it.';
COMMENT ON COLUMN ops.job_queue.idempotency_key IS 'Queueing the same work twice makes one job.';
COMMENT ON COLUMN ops.intake_logs.details IS 'May hold personal data.';
COMMENT ON COLUMN intake.simplicity_raw_rows.raw IS 'The line as uploaded: personal data.';
