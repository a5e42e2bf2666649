-- name: claim_jobs
-- The next due jobs of these types, locked by this worker. Served by job_queue_claim_idx, one probe a type and job.
SELECT (claimed).id::text AS id, (claimed).job_type, (claimed).payload, (claimed).attempts, (claimed).max_attempts
FROM (
    SELECT ops.claim_pending_job(%(job_types)s::text[], %(worker_id)s) AS claimed
    FROM generate_series(1, %(limit)s)
    OFFSET 0  -- one call a row, not one for each column above
) AS claims;

-- name: reap_jobs
-- Jobs of workers that are gone, back in the queue. Served by job_queue_processing_idx.
SELECT id::text, status
FROM ops.reap_jobs(%(job_types)s::text[], %(lock_timeout)s::interval);

-- name: list_own_jobs
-- After an outage: a claim whose answer was lost is ours without our knowing. Served by job_queue_processing_idx.
SELECT id::text
FROM ops.job_queue
WHERE status = 'processing' AND locked_by = %(worker_id)s;

-- name: finish_job
-- Ends an attempt. By primary key.
SELECT ops.update_job_status(
    %(job_id)s::uuid, %(status)s, %(result)s::jsonb, %(error)s, %(worker_id)s, %(may_retry)s
);

-- name: finish_jobs
-- Ends an attempt at each of several jobs. By primary key.
SELECT given.job_id::text,
       ops.update_job_status(given.job_id, given.status, given.result, given.error, %(worker_id)s, given.may_retry)
FROM unnest(
    %(job_ids)s::uuid[], %(statuses)s::text[], %(results)s::jsonb[], %(errors)s::text[], %(may_retry)s::boolean[]
) AS given (job_id, status, result, error, may_retry);

-- name: queue_job
-- One job, unless its idempotency key is known already. Served by the key's unique index.
INSERT INTO ops.job_queue (job_type, payload, priority, max_attempts, idempotency_key, run_at)
VALUES (%(job_type)s, %(payload)s::jsonb, %(priority)s, %(max_attempts)s, %(idempotency_key)s,
        now() + %(delay)s::interval)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id::text;

-- name: beat
-- One row a worker process, rewritten with each beat. By primary key.
INSERT INTO ops.worker_heartbeats AS beat
    (worker_id, worker_type, status, git_sha, current_job_id, current_job_started_at, database_ok, started_at,
     last_heartbeat_at)
VALUES
    (%(worker_id)s, %(worker_type)s, %(status)s, %(git_sha)s, %(current_job_id)s::uuid,
     %(current_job_started_at)s::timestamptz, %(database_ok)s, coalesce(%(started_at)s::timestamptz, now()), now())
ON CONFLICT (worker_id) DO UPDATE
SET status = excluded.status, git_sha = excluded.git_sha, current_job_id = excluded.current_job_id,
    current_job_started_at = excluded.current_job_started_at, database_ok = excluded.database_ok,
    last_heartbeat_at = excluded.last_heartbeat_at;

-- name: prune_heartbeats
-- Rows of processes that are long gone (DESIGN §4: 7 days). Served by worker_heartbeats_last_idx.
DELETE FROM ops.worker_heartbeats WHERE last_heartbeat_at < now() - %(older_than)s::interval;
