-- Takes the descriptions away again. No code reads them, so any commit fits the schema afterwards.

COMMENT ON TABLE ops.worker_heartbeats IS NULL;
COMMENT ON TABLE ops.job_queue IS NULL;
COMMENT ON TABLE ops.intake_logs IS NULL;
COMMENT ON TABLE intake.simplicity_batches IS NULL;
COMMENT ON TABLE intake.simplicity_raw_rows IS NULL;
COMMENT ON TABLE public.judgments IS NULL;
COMMENT ON TABLE enforcement.next_steps IS NULL;
