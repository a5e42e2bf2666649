-- What runs: heartbeats of the workers, the job queue, the log of the intake.
--
--   ops.worker_heartbeats  one row a worker process; `current_job_id` while it works on a job
--   ops.job_queue          pending -> processing -> completed | pending again (retry) | failed
--                          `attempts` counts claims, so it is 1 while the first attempt runs
--                          `run_at`: not before; `locked_by` is the worker_id that claimed it
--                          `idempotency_key`: queueing the same work twice makes one job
--   ops.intake_logs        events; `details` may hold personal data

CREATE TABLE ops.worker_heartbeats (
    worker_id text PRIMARY KEY CHECK (worker_id <> ''),
    worker_type text NOT NULL CHECK (worker_type <> ''),
    status text NOT NULL CHECK (status IN ('starting', 'running', 'stopping', 'stopped', 'error')),
    last_heartbeat_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz NOT NULL DEFAULT now(),
    git_sha text,
    current_job_id uuid,
    current_job_started_at timestamptz,
    database_ok boolean
);
-- Rows gather, one for each start of a process (performance.md, "Heartbeats").
CREATE INDEX worker_heartbeats_last_idx ON ops.worker_heartbeats (last_heartbeat_at);
CREATE INDEX worker_heartbeats_type_idx ON ops.worker_heartbeats (worker_type, last_heartbeat_at DESC);
CREATE INDEX worker_heartbeats_running_idx ON ops.worker_heartbeats (last_heartbeat_at) WHERE status = 'running';

CREATE TABLE ops.job_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_type text NOT NULL CHECK (job_type <> ''),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    priority smallint NOT NULL DEFAULT 0,
    payload jsonb NOT NULL DEFAULT '{}',
    result jsonb,
    error_message text,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts integer NOT NULL DEFAULT 5 CHECK (max_attempts >= 1),
    run_at timestamptz NOT NULL DEFAULT now(),
    locked_at timestamptz,
    locked_by text,
    idempotency_key text UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'processing') = (locked_at IS NOT NULL))
);
-- Claiming: one probe a job type, whatever waits behind it (performance.md, "Job queue").
CREATE INDEX job_queue_claim_idx ON ops.job_queue (job_type, priority DESC, run_at) WHERE status = 'pending';
-- Depth of the queue, and how long what is due has waited.
CREATE INDEX job_queue_pending_idx ON ops.job_queue (run_at) WHERE status = 'pending';
CREATE INDEX job_queue_processing_idx ON ops.job_queue (locked_at) WHERE status = 'processing';
CREATE INDEX job_queue_failed_idx ON ops.job_queue (updated_at DESC) WHERE status = 'failed';
-- Throughput per minute from the index alone; no BRIN, because finished rows are pruned.
CREATE INDEX job_queue_updated_idx ON ops.job_queue (updated_at) INCLUDE (status);
-- The latest jobs of one type (golden path).
CREATE INDEX job_queue_type_updated_idx ON ops.job_queue (job_type, updated_at DESC);

CREATE TABLE ops.intake_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    event_type text NOT NULL CHECK (event_type <> ''),
    source_system text NOT NULL DEFAULT 'simplicity',
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX intake_logs_created_idx ON ops.intake_logs (created_at DESC);

ALTER TABLE ops.worker_heartbeats ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.job_queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.intake_logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON ops.worker_heartbeats TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY app ON ops.job_queue TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY app ON ops.intake_logs TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY bot_reads ON ops.worker_heartbeats FOR SELECT TO dragonfly_bot USING (true);
CREATE POLICY bot_reads ON ops.job_queue FOR SELECT TO dragonfly_bot USING (true);
CREATE POLICY bot_reads ON ops.intake_logs FOR SELECT TO dragonfly_bot USING (true);

REVOKE ALL ON ALL TABLES IN SCHEMA ops FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.worker_heartbeats TO dragonfly_app;
-- Jobs change through ops.claim_pending_job and ops.update_job_status only.
GRANT SELECT, INSERT ON ops.job_queue TO dragonfly_app;
GRANT SELECT, INSERT ON ops.intake_logs TO dragonfly_app;

-- Column by column: no payload, result or details, which hold personal data.
GRANT SELECT (worker_id, worker_type, status, last_heartbeat_at, started_at, git_sha, current_job_id,
              current_job_started_at, database_ok) ON ops.worker_heartbeats TO dragonfly_bot;
GRANT SELECT (id, job_type, status, priority, error_message, attempts, max_attempts, run_at, locked_at, locked_by,
              created_at, updated_at) ON ops.job_queue TO dragonfly_bot;
GRANT SELECT (id, created_at, event_type, source_system) ON ops.intake_logs TO dragonfly_bot;
