-- What changed in the system `civil` until January 2026: run after civil_dec.sql, as the same owner.

ALTER TYPE ops.job_type_enum ADD VALUE 'entity_resolve';
ALTER TYPE ops.job_type_enum ADD VALUE 'judgment_create';
ALTER TYPE ops.job_type_enum ADD VALUE 'enrichment_request';

ALTER TABLE ops.job_queue
ADD COLUMN idempotency_key text,
ADD COLUMN dedup_key text,
ADD COLUMN correlation_id uuid,
ADD COLUMN dead_letter_at timestamptz,
NO FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX job_queue_idempotency_idx ON ops.job_queue (job_type, idempotency_key)
WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX job_queue_dedup_idx ON ops.job_queue (job_type, dedup_key)
WHERE dedup_key IS NOT NULL AND status IN ('pending', 'processing');

ALTER TABLE ops.ingest_batches
ADD COLUMN plaintiff_inserted integer NOT NULL DEFAULT 0,
ADD COLUMN plaintiff_duplicate integer NOT NULL DEFAULT 0,
ADD COLUMN plaintiff_failed integer NOT NULL DEFAULT 0,
ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_role_all ON ops.ingest_batches TO service_role USING (true) WITH CHECK (true);

ALTER TABLE ops.intake_logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_role_all ON ops.intake_logs TO service_role USING (true) WITH CHECK (true);

ALTER TABLE intake.simplicity_batches
ADD COLUMN file_hash text,
ADD COLUMN storage_path text,
ADD COLUMN row_count_duplicate integer NOT NULL DEFAULT 0,
ADD COLUMN discord_notified boolean NOT NULL DEFAULT false,
ADD COLUMN plaintiff_inserted integer NOT NULL DEFAULT 0,
ADD COLUMN plaintiff_duplicate integer NOT NULL DEFAULT 0,
ADD COLUMN plaintiff_failed integer NOT NULL DEFAULT 0,
ADD COLUMN error_threshold_percent integer NOT NULL DEFAULT 10 CHECK (error_threshold_percent BETWEEN 0 AND 100),
ADD COLUMN rejection_reason text,
ADD COLUMN parse_duration_ms integer,
ADD COLUMN db_duration_ms integer,
DROP CONSTRAINT simplicity_batches_status_check,
ADD CONSTRAINT simplicity_batches_status_check CHECK (
    status IN ('pending', 'staging', 'transforming', 'validated', 'upserting', 'completed', 'failed')
),
ADD CONSTRAINT simplicity_batches_rejection_check CHECK (rejection_reason IS NULL OR status = 'failed'),
ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_role_all ON intake.simplicity_batches TO service_role USING (true) WITH CHECK (true);

ALTER TABLE intake.simplicity_validated_rows ADD COLUMN dedup_key text;
ALTER TABLE intake.simplicity_failed_rows
ADD COLUMN retryable boolean,
ADD COLUMN correlation_id uuid;

INSERT INTO supabase_migrations.schema_migrations (version, name)
VALUES ('20260108', 'dedup'), ('20260115120000', 'plaintiffs'), ('20261105', 'claims');

-- The rights of the workers, as the newer files leave them; the app lost its own.
REVOKE USAGE ON SCHEMA ops FROM authenticated, dragonfly_app;
REVOKE ALL ON ops.worker_heartbeats, ops.job_queue FROM dragonfly_app;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ops FROM PUBLIC, dragonfly_app, dragonfly_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ops TO service_role;
GRANT EXECUTE ON FUNCTION
    ops.claim_pending_job(text[], integer, text),
    ops.update_job_status(uuid, text, text, integer),
    ops.queue_job(text, jsonb, integer, timestamptz),
    ops.register_heartbeat(text, text, text, text)
TO dragonfly_worker;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
