-- A replica of the system `civil` as it stood in December 2025: tables, functions, roles and rights that the bot meets
-- when it is adopted by a system older than itself. Written from what is known of it, not from its code.
--
-- Run as its owner: not a superuser, with BYPASSRLS and CREATEROLE, as `postgres` is on Supabase.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'anon NOLOGIN', 'authenticated NOLOGIN', 'service_role NOLOGIN BYPASSRLS',
        'dragonfly_app LOGIN', 'dragonfly_worker LOGIN', 'dragonfly_readonly LOGIN'
    ] LOOP
        BEGIN
            EXECUTE 'CREATE ROLE ' || wanted;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of this cluster has them
        END;
    END LOOP;
END
$$;

CREATE SCHEMA ops;
CREATE SCHEMA intake;
CREATE SCHEMA supabase_migrations;

CREATE TYPE ops.job_status_enum AS ENUM ('pending', 'processing', 'completed', 'failed');
CREATE TYPE ops.job_type_enum AS ENUM (
    'enrich_tlo', 'enrich_idicore', 'generate_pdf', 'ingest_csv', 'enforcement_generate_packet', 'enforcement_strategy',
    'enforcement_drafting', 'simplicity_ingest'
);

CREATE FUNCTION ops.set_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;

CREATE TABLE ops.worker_heartbeats (
    worker_id text PRIMARY KEY,
    worker_type text NOT NULL,
    hostname text,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL DEFAULT 'running'
        CHECK (status IN ('starting', 'running', 'degraded', 'stopped', 'error')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    stale_threshold_seconds integer NOT NULL DEFAULT 90
);
CREATE INDEX worker_heartbeats_type_idx ON ops.worker_heartbeats (worker_type, last_seen_at DESC);
CREATE INDEX worker_heartbeats_alive_idx ON ops.worker_heartbeats (status, last_seen_at)
WHERE status NOT IN ('stopped', 'error');
CREATE TRIGGER set_updated_at BEFORE UPDATE ON ops.worker_heartbeats
FOR EACH ROW EXECUTE FUNCTION ops.set_updated_at();

CREATE TABLE ops.job_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_type ops.job_type_enum NOT NULL,
    payload jsonb NOT NULL,
    status ops.job_status_enum NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    locked_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    priority integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT now(),
    max_attempts integer NOT NULL DEFAULT 5,
    next_run_at timestamptz,
    started_at timestamptz,
    worker_id text,
    reap_count integer NOT NULL DEFAULT 0
);
CREATE INDEX job_queue_status_idx ON ops.job_queue (status);
CREATE INDEX job_queue_created_idx ON ops.job_queue (created_at DESC);
CREATE INDEX job_queue_pending_lock_idx ON ops.job_queue (status, locked_at, created_at) WHERE status = 'pending';
CREATE INDEX job_queue_pending_priority_idx ON ops.job_queue (priority DESC, run_at) WHERE status = 'pending';
CREATE INDEX job_queue_pending_next_idx ON ops.job_queue (status, next_run_at, created_at) WHERE status = 'pending';
CREATE INDEX job_queue_processing_idx ON ops.job_queue (status, started_at) WHERE status = 'processing';
CREATE TRIGGER set_updated_at BEFORE UPDATE ON ops.job_queue
FOR EACH ROW EXECUTE FUNCTION ops.set_updated_at();

CREATE TABLE ops.ingest_batches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    source text NOT NULL,
    filename text NOT NULL,
    row_count_raw integer NOT NULL DEFAULT 0,
    row_count_valid integer NOT NULL DEFAULT 0,
    row_count_invalid integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    error_summary text,
    created_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    created_by text,
    stats jsonb,
    started_at timestamptz,
    completed_at timestamptz,
    worker_id text,
    file_hash text,
    force_reimport boolean DEFAULT false,
    integrity_status text,
    verified_at timestamptz,
    verification_notes text
);

CREATE TABLE ops.intake_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    batch_id uuid REFERENCES ops.ingest_batches (id) ON DELETE CASCADE,
    row_index integer,
    status text CHECK (status IN ('success', 'error', 'skipped', 'duplicate')),
    judgment_id uuid,
    error_code text,
    error_details text,
    processing_time_ms integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    job_id uuid,
    level text,
    message text,
    raw_payload jsonb,
    UNIQUE (batch_id, row_index)
);

CREATE TABLE intake.simplicity_batches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    filename text NOT NULL,
    source_reference text,
    row_count_total integer NOT NULL DEFAULT 0,
    row_count_staged integer NOT NULL DEFAULT 0,
    row_count_valid integer NOT NULL DEFAULT 0,
    row_count_invalid integer NOT NULL DEFAULT 0,
    row_count_inserted integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'pending',
    error_summary text,
    created_at timestamptz NOT NULL DEFAULT now(),
    staged_at timestamptz,
    transformed_at timestamptz,
    completed_at timestamptz,
    created_by text,
    CONSTRAINT simplicity_batches_status_check
        CHECK (status IN ('pending', 'staging', 'transforming', 'upserting', 'completed', 'failed'))
);

CREATE TABLE intake.simplicity_raw_rows (
    id bigserial PRIMARY KEY,
    batch_id uuid NOT NULL REFERENCES intake.simplicity_batches (id) ON DELETE CASCADE,
    row_index integer NOT NULL,
    raw_data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE intake.simplicity_validated_rows (
    id bigserial PRIMARY KEY,
    batch_id uuid NOT NULL REFERENCES intake.simplicity_batches (id) ON DELETE CASCADE,
    row_index integer NOT NULL,
    raw_row_id bigint,
    case_number text NOT NULL,
    plaintiff_name text,
    defendant_name text,
    judgment_amount numeric(12, 2),
    entry_date date,
    judgment_date date,
    court text,
    county text,
    validation_status text NOT NULL DEFAULT 'valid' CHECK (validation_status IN ('valid', 'invalid', 'warning')),
    validation_errors text[],
    validation_warnings text[],
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE intake.simplicity_failed_rows (
    id bigserial PRIMARY KEY,
    batch_id uuid NOT NULL REFERENCES intake.simplicity_batches (id) ON DELETE CASCADE,
    row_index integer NOT NULL,
    raw_row_id bigint,
    error_stage text NOT NULL CHECK (error_stage IN ('parse', 'validate', 'transform', 'upsert')),
    error_code text,
    error_message text NOT NULL,
    raw_data jsonb,
    resolved_at timestamptz,
    resolved_by text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE supabase_migrations.schema_migrations (
    version text PRIMARY KEY,
    statements text[],
    name text
);
INSERT INTO supabase_migrations.schema_migrations (version, name)
VALUES ('0001', 'core'), ('0002', 'ops'), ('20250104', 'rls'), ('20251201093000', 'queue'), ('20251231100000', 'reaper');

-- Functions run with their owner's rights.
CREATE FUNCTION ops.claim_pending_job(p_job_types text[], p_lock_timeout_minutes integer, p_worker_id text)
RETURNS SETOF ops.job_queue
LANGUAGE sql VOLATILE SECURITY DEFINER
AS $$
    UPDATE ops.job_queue
    SET status = 'processing', attempts = attempts + 1, locked_at = now(), started_at = now(), worker_id = p_worker_id
    WHERE id = (
        SELECT id
        FROM ops.job_queue
        WHERE status = 'pending' AND job_type::text = ANY (p_job_types)
            AND coalesce(next_run_at, created_at) <= now()
            AND (locked_at IS NULL OR locked_at < now() - make_interval(mins => p_lock_timeout_minutes))
        ORDER BY coalesce(next_run_at, created_at)
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING *;
$$;

CREATE FUNCTION ops.update_job_status(p_job_id uuid, p_status text, p_error text, p_backoff_seconds integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
AS $$
BEGIN
    UPDATE ops.job_queue
    SET status = p_status::ops.job_status_enum,
        last_error = coalesce(p_error, last_error),
        next_run_at = CASE WHEN p_backoff_seconds IS NULL THEN next_run_at
                      ELSE now() + make_interval(secs => p_backoff_seconds) END
    WHERE id = p_job_id;
    RETURN FOUND;
END
$$;

CREATE FUNCTION ops.queue_job(p_type text, p_payload jsonb, p_priority integer, p_run_at timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
AS $$
    INSERT INTO ops.job_queue (job_type, payload, priority, run_at)
    VALUES (p_type::ops.job_type_enum, p_payload, p_priority, coalesce(p_run_at, now()))
    RETURNING id;
$$;

CREATE FUNCTION ops.register_heartbeat(p_worker_id text, p_worker_type text, p_hostname text, p_status text)
RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER
AS $$
    INSERT INTO ops.worker_heartbeats (worker_id, worker_type, hostname, status)
    VALUES (p_worker_id, p_worker_type, p_hostname, p_status)
    ON CONFLICT (worker_id) DO UPDATE SET last_seen_at = now(), status = EXCLUDED.status
    RETURNING worker_id;
$$;

CREATE FUNCTION ops.reap_stuck_jobs(p_timeout_minutes integer) RETURNS TABLE (job_id uuid, action text)
LANGUAGE sql VOLATILE SECURITY DEFINER
AS $$
    UPDATE ops.job_queue
    SET status = CASE WHEN attempts >= max_attempts THEN 'failed' ELSE 'pending' END::ops.job_status_enum,
        reap_count = reap_count + 1
    WHERE status = 'processing' AND started_at < now() - make_interval(mins => p_timeout_minutes)
    RETURNING id, status::text;
$$;

ALTER TABLE ops.worker_heartbeats ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.worker_heartbeats FORCE ROW LEVEL SECURITY;
CREATE POLICY service_role_all ON ops.worker_heartbeats TO service_role USING (true) WITH CHECK (true);
CREATE POLICY deny_strangers ON ops.worker_heartbeats TO anon, authenticated USING (false);
CREATE POLICY authenticated_read ON ops.worker_heartbeats FOR SELECT TO authenticated USING (true);

ALTER TABLE ops.job_queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.job_queue FORCE ROW LEVEL SECURITY;
CREATE POLICY service_role_all ON ops.job_queue TO service_role USING (true) WITH CHECK (true);
CREATE POLICY deny_strangers ON ops.job_queue TO anon, authenticated USING (false);
CREATE POLICY deny_public ON ops.job_queue USING (false);
CREATE POLICY by_claims ON ops.job_queue
USING ((current_setting('request.jwt.claims', true)::json ->> 'role') = 'service_role');

GRANT USAGE ON SCHEMA ops TO service_role, authenticated, dragonfly_app, dragonfly_worker;
GRANT USAGE ON SCHEMA intake TO service_role, dragonfly_app, dragonfly_worker;
GRANT ALL ON ALL TABLES IN SCHEMA ops, intake TO service_role;
GRANT SELECT, INSERT, UPDATE ON ops.worker_heartbeats, ops.job_queue TO dragonfly_app, dragonfly_worker;
GRANT SELECT, INSERT, UPDATE ON ops.ingest_batches, ops.intake_logs TO dragonfly_app, dragonfly_worker;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA intake TO dragonfly_app, dragonfly_worker;
GRANT EXECUTE ON FUNCTION
    ops.claim_pending_job(text[], integer, text),
    ops.update_job_status(uuid, text, text, integer),
    ops.queue_job(text, jsonb, integer, timestamptz),
    ops.register_heartbeat(text, text, text, text)
TO dragonfly_app, dragonfly_worker, service_role;
REVOKE EXECUTE ON FUNCTION ops.reap_stuck_jobs(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.reap_stuck_jobs(integer) TO service_role;
