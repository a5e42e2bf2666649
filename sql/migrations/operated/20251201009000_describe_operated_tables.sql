-- Says in the database itself what each operated table is for: Supabase's table editor shows it beside the name.

COMMENT ON TABLE ops.worker_heartbeats IS 'One row a worker process; it beats every 30 s while it lives.';
COMMENT ON TABLE ops.job_queue IS 'The work of the workers: pending, processing, then completed or failed.';
COMMENT ON TABLE ops.intake_logs IS 'What happened at the intake; details may hold personal data.';
COMMENT ON TABLE intake.simplicity_batches IS 'One row an uploaded file.';
COMMENT ON TABLE intake.simplicity_raw_rows IS 'The lines of the uploaded files, as uploaded: personal data.';
COMMENT ON TABLE public.judgments IS 'One row a case of a county: personal data.';
COMMENT ON TABLE enforcement.next_steps IS 'What to do next about each judgment, and why.';
