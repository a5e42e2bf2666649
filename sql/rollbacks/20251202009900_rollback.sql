-- Deletes the descriptions of these columns. No code reads them, so every commit fits the schema afterwards.

COMMENT ON COLUMN ops.worker_heartbeats.current_job_id IS NULL;
COMMENT ON COLUMN ops.job_queue.run_at IS NULL;
COMMENT ON COLUMN ops.job_queue.attempts IS NULL;
COMMENT ON COLUMN ops.job_queue.locked_by IS NULL;
COMMENT ON COLUMN ops.job_queue.idempotency_key IS NULL;
COMMENT ON COLUMN ops.intake_logs.details IS NULL;
COMMENT ON COLUMN intake.simplicity_raw_rows.raw IS NULL;
