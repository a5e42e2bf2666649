-- affects: the workers, queue, throughput

-- name: claim_jobs
-- Claim the next due jobs of these types for this worker. Served by job_queue_claim_idx, with a few probes per type and
-- priority.
SELECT id::text AS id, job_type, payload, attempts, max_attempts, claim
FROM ops.claim_pending_job(%(job_types)s::text[], %(worker_id)s, %(limit)s);

-- name: finish_and_claim_jobs
-- End attempts, then claim the next due jobs: each job with its status now, a claimed one with its type and payload. By
-- primary key and job_queue_claim_idx.
SELECT id::text AS id, status, job_type, payload, attempts, max_attempts, claim
FROM ops.finish_and_claim_jobs(%(endings)s, %(worker_id)s, %(job_types)s::text[], %(limit)s);

-- name: reap_jobs
-- Take jobs from workers that are gone: they are pending again, or failed after the last attempt. Served by
-- job_queue_processing_idx.
SELECT id::text, status
FROM ops.reap_jobs(%(job_types)s::text[], %(lock_timeout)s::interval, p_gone_after => %(gone_after)s::interval);

-- name: list_own_jobs
-- List the jobs that are stored as being processed by this worker: if the answer to a claim was lost, the worker does
-- not know of it. Served by job_queue_processing_idx.
SELECT id::text, claim
FROM ops.job_queue
WHERE status = 'processing' AND locked_by = %(worker_id)s;

-- name: finish_job
-- End an attempt. By primary key.
SELECT ops.update_job_status(
    %(job_id)s::uuid, %(status)s, %(result)s::jsonb, %(error)s, %(worker_id)s, %(may_retry)s
);

-- name: queue_job
-- Queue a job and return its id; no row if a job with the same idempotency key exists. Served by the key's unique
-- index.
INSERT INTO ops.job_queue (job_type, payload, priority, max_attempts, idempotency_key, run_at)
VALUES (%(job_type)s, %(payload)s::jsonb, %(priority)s, %(max_attempts)s, %(idempotency_key)s,
        now() + %(delay)s::interval)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id::text;

-- name: beat
-- Store the worker's heartbeat: one row per worker process, which each heartbeat overwrites. By primary key. Heartbeats
-- come over a session named "<service>:<worker_id>:beat"; sessions_seen: whether the server shows it.
INSERT INTO ops.worker_heartbeats AS beat
    (worker_id, worker_type, status, git_sha, current_job_id, current_job_started_at, database_ok, started_at,
     last_heartbeat_at, sessions_seen)
VALUES
    (%(worker_id)s, %(worker_type)s, %(status)s, %(git_sha)s, %(current_job_id)s::uuid,
     %(current_job_started_at)s::timestamptz, %(database_ok)s, coalesce(%(started_at)s::timestamptz, now()), now(),
     EXISTS (
         SELECT FROM pg_stat_activity AS session
         WHERE session.datname = current_database() AND session.application_name LIKE '%%:' || %(worker_id)s || ':beat'
     ))
ON CONFLICT (worker_id) DO UPDATE
SET status = excluded.status, git_sha = excluded.git_sha, current_job_id = excluded.current_job_id,
    current_job_started_at = excluded.current_job_started_at, database_ok = excluded.database_ok,
    last_heartbeat_at = excluded.last_heartbeat_at, sessions_seen = excluded.sessions_seen;

-- name: prune_heartbeats
-- Delete the rows of workers that have been silent for longer than `older_than`. Served by worker_heartbeats_last_idx.
DELETE FROM ops.worker_heartbeats WHERE last_heartbeat_at < now() - %(older_than)s::interval;
