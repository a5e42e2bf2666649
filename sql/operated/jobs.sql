-- name: read_queue_snapshot (runbook)
-- Return the state of the queue now. Each part is served by a partial index: job_queue_claim_idx,
-- job_queue_processing_idx, job_queue_failed_idx. A job whose time has not come (a retry) is pending but does not count
-- as waiting, nor does one of a type of which no more jobs may run now.
-- Pending jobs are counted up to a limit, so that a backlog does not make it slower.
-- Orphaned: in processing, but its worker has no fresh heartbeat, however recently the job was locked.
-- commands: health, queue
SELECT
    now() AS as_of,
    (SELECT count(*) FROM (
        SELECT FROM ops.job_queue WHERE status = 'pending' LIMIT %(count_to)s::bigint
    ) AS counted) AS pending,
    (SELECT min(run_at) FROM ops.claimable_levels WHERE run_at <= now()) AS oldest_pending_at,
    (SELECT count(*) FROM ops.job_queue WHERE status = 'processing') AS processing,
    (SELECT count(*) FROM ops.job_queue
     WHERE status = 'failed' AND updated_at > now() - interval '1 hour') AS failed_last_hour,
    (SELECT count(*) FROM ops.job_queue AS job
     WHERE job.status = 'processing'
       AND NOT EXISTS (
           SELECT FROM ops.worker_heartbeats AS beat
           WHERE beat.worker_id = job.locked_by
             AND beat.status <> 'stopped'
             AND beat.last_heartbeat_at >= now()
                 - coalesce((%(stale_by_type)s::jsonb ->> beat.worker_type)::interval, %(stale_after)s::interval)
       )) AS orphaned;

-- name: read_queue_snapshot (civil)
-- Return the state of the queue now. A pending job is due from coalesce(next_run_at, created_at) on, and after an
-- attempt not before its lock is 30 minutes old; priority and run_at are ignored, as the system does. The longest due
-- job is among the first 1,000 by either time, which the partial index of pending jobs returns in order. Failed jobs
-- are read by their status, however old they are: no index has the time of a failure.
-- Pending jobs are counted up to a limit, so that a backlog does not make it slower.
-- Orphaned: in processing, but its worker has no fresh heartbeat, however recently the job was locked.
-- commands: health, queue
SELECT
    now() AS as_of,
    (SELECT count(*) FROM (
        SELECT FROM ops.job_queue WHERE status = 'pending' LIMIT %(count_to)s::bigint
    ) AS counted) AS pending,
    (SELECT min(due.due_at) FROM (
        (SELECT greatest(next_run_at, locked_at + interval '30 minutes') AS due_at
         FROM ops.job_queue
         WHERE status = 'pending' AND next_run_at <= now()
             AND (locked_at IS NULL OR locked_at < now() - interval '30 minutes')
         ORDER BY next_run_at
         LIMIT 1000)
        UNION ALL
        (SELECT greatest(created_at, locked_at + interval '30 minutes')
         FROM ops.job_queue
         WHERE status = 'pending' AND next_run_at IS NULL AND created_at <= now()
             AND (locked_at IS NULL OR locked_at < now() - interval '30 minutes')
         ORDER BY next_run_at, created_at
         LIMIT 1000)
    ) AS due) AS oldest_pending_at,
    (SELECT count(*) FROM ops.job_queue WHERE status = 'processing') AS processing,
    (SELECT count(*) FROM ops.job_queue
     WHERE status = 'failed' AND updated_at > now() - interval '1 hour') AS failed_last_hour,
    (SELECT count(*) FROM ops.job_queue AS job
     WHERE job.status = 'processing'
       AND NOT EXISTS (
           SELECT FROM ops.worker_heartbeats AS beat
           WHERE beat.worker_id = job.worker_id
             AND beat.status NOT IN ('stopped', 'error')
             AND beat.last_seen_at >= now()
                 - coalesce((%(stale_by_type)s::jsonb ->> beat.worker_type)::interval, %(stale_after)s::interval)
       )) AS orphaned;

-- name: list_failed_jobs (runbook)
-- List jobs that failed for good within the window, newest first. Served by job_queue_failed_idx. Errors are cut,
-- because an error may have any length.
-- commands: failed-jobs, requeue
SELECT id::text AS id, left(job_type, 200) AS job_type, attempts,
       left(error_message, %(error_limit)s::integer) AS error_message, updated_at
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval
ORDER BY updated_at DESC
LIMIT %(limit)s;

-- name: list_failed_jobs (civil)
-- List jobs that failed for good within the window, newest first. Found by their status, however old they are: no index
-- has the time of a failure. Errors are cut, because an error may have any length.
-- commands: failed-jobs, requeue
SELECT id::text AS id, left(job_type::text, 200) AS job_type, attempts,
       left(last_error, %(error_limit)s::integer) AS error_message, updated_at
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval
ORDER BY updated_at DESC
LIMIT %(limit)s;

-- name: read_job_error (runbook)
-- Return the error of one job, cut to what a message can show. By primary key.
-- commands: reveal
SELECT left(error_message, %(error_limit)s::integer) AS error_message
FROM ops.job_queue
WHERE id = %(job_id)s::uuid;

-- name: read_job_error (civil)
-- Return the error of one job, cut to what a message can show; null for a completed job, which keeps the error of an
-- earlier attempt. By primary key.
-- commands: reveal
SELECT left(CASE WHEN status <> 'completed' THEN last_error END, %(error_limit)s::integer) AS error_message
FROM ops.job_queue
WHERE id = %(job_id)s::uuid;

-- name: count_failed_jobs
-- Count the jobs that failed for good within the window; list_failed_jobs is cut at its limit. Served by
-- job_queue_failed_idx; civil has only the status in an index.
-- commands: failed-jobs
SELECT count(*)
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval;

-- name: count_exhausted_jobs
-- Count the jobs that failed on their last attempt within the window. Served by the same index as count_failed_jobs.
SELECT count(*)
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval AND attempts >= max_attempts;

-- name: list_throughput
-- Count the jobs that ended, one row per minute, newest first; a minute in which none ended is left out. Served by
-- job_queue_updated_idx alone; civil has only the status in an index, so all jobs that ever ended are read there.
-- commands: throughput
SELECT date_trunc('minute', updated_at) AS minute,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'failed') AS failed
FROM ops.job_queue
WHERE updated_at > now() - %(window)s::interval AND status IN ('completed', 'failed')
GROUP BY 1
ORDER BY 1 DESC;

-- name: list_oldest_pending (runbook)
-- List due jobs, the longest waiting first. Served by job_queue_claim_idx: at most `limit` jobs of each type and
-- priority are read.
-- commands: queue
SELECT job.id::text AS id, left(job.job_type, 200) AS job_type, job.attempts, job.run_at AS waiting_since, job.created_at
FROM ops.pending_levels AS level
CROSS JOIN LATERAL (
    SELECT queue.id, queue.job_type, queue.attempts, queue.run_at, queue.created_at
    FROM ops.job_queue AS queue
    WHERE queue.status = 'pending' AND queue.job_type = level.job_type AND queue.priority = level.priority
        AND queue.run_at <= now()
    ORDER BY queue.run_at
    LIMIT %(limit)s
) AS job
ORDER BY job.run_at
LIMIT %(limit)s;

-- name: list_oldest_pending (civil)
-- List due jobs, the longest waiting first, read in the two orders of the partial index of pending jobs. Due as in
-- read_queue_snapshot.
-- commands: queue
SELECT job.id::text AS id, left(job.job_type::text, 200) AS job_type, job.attempts,
       greatest(coalesce(job.next_run_at, job.created_at), job.locked_at + interval '30 minutes') AS waiting_since,
       job.created_at
FROM (
    (SELECT id, job_type, attempts, next_run_at, created_at, locked_at
     FROM ops.job_queue
     WHERE status = 'pending' AND next_run_at <= now()
         AND (locked_at IS NULL OR locked_at < now() - interval '30 minutes')
     ORDER BY next_run_at
     LIMIT %(limit)s)
    UNION ALL
    (SELECT id, job_type, attempts, next_run_at, created_at, locked_at
     FROM ops.job_queue
     WHERE status = 'pending' AND next_run_at IS NULL AND created_at <= now()
         AND (locked_at IS NULL OR locked_at < now() - interval '30 minutes')
     ORDER BY next_run_at, created_at
     LIMIT %(limit)s)
) AS job
ORDER BY waiting_since
LIMIT %(limit)s;

-- name: list_next_due (runbook)
-- List per job type when the job that would be claimed next became due; a type without such a job, or of which no more
-- jobs may run now, is left out. Served by job_queue_claim_idx, as a claim is, and job_queue_processing_idx.
-- commands: logs, doctor
SELECT left(next.job_type, 200) AS job_type, next.run_at AS due_at
FROM (
    SELECT DISTINCT ON (level.job_type) level.job_type, level.run_at
    FROM ops.claimable_levels AS level
    WHERE level.job_type = ANY (%(job_types)s::text[]) AND level.run_at <= now()
    ORDER BY level.job_type, level.priority DESC
) AS next
ORDER BY due_at;

-- name: list_next_due (civil)
-- List per job type when its oldest due job became due; a type without due jobs is left out. No index has the type:
-- pending jobs are scanned by their partial index. Due as in read_queue_snapshot.
-- commands: logs, doctor
SELECT left(job_type::text, 200) AS job_type,
       min(greatest(coalesce(next_run_at, created_at), locked_at + interval '30 minutes')) AS due_at
FROM ops.job_queue
WHERE status = 'pending' AND job_type::text = ANY (%(job_types)s::text[])
    AND coalesce(next_run_at, created_at) <= now()
    AND (locked_at IS NULL OR locked_at < now() - interval '30 minutes')
GROUP BY job_queue.job_type
ORDER BY due_at;

-- name: list_unclaimed (runbook)
-- List when the oldest due job became due, per job type that no worker claims. Served by job_queue_claim_idx.
-- commands: queue, doctor
SELECT left(level.job_type, 200) AS job_type, min(level.run_at) AS due_at
FROM ops.pending_levels AS level
WHERE level.job_type <> ALL (%(job_types)s::text[]) AND level.run_at <= now()
GROUP BY level.job_type
ORDER BY due_at;

-- name: list_unclaimed (civil)
-- List when the oldest due job became due, per job type that no worker claims. Pending jobs are scanned by their
-- partial index. Due as in read_queue_snapshot.
-- commands: queue, doctor
SELECT left(job_type::text, 200) AS job_type,
       min(greatest(coalesce(next_run_at, created_at), locked_at + interval '30 minutes')) AS due_at
FROM ops.job_queue
WHERE status = 'pending' AND job_type::text <> ALL (%(job_types)s::text[])
    AND coalesce(next_run_at, created_at) <= now()
    AND (locked_at IS NULL OR locked_at < now() - interval '30 minutes')
GROUP BY job_queue.job_type
ORDER BY due_at;

-- name: list_running_jobs (runbook)
-- List jobs in processing, the longest running first, with their worker's last heartbeat. Served by
-- job_queue_processing_idx and the primary key of the heartbeats.
-- commands: queue, stop-workers
SELECT job.id::text AS id, left(job.job_type, 200) AS job_type, job.attempts, job.locked_at,
       left(job.locked_by, 200) AS locked_by, beat.last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.locked_by
WHERE job.status = 'processing'
ORDER BY job.locked_at
LIMIT %(limit)s;

-- name: list_running_jobs (civil)
-- List jobs in processing, the longest running first, with their worker's last heartbeat. Served by the partial index
-- of jobs in processing and the primary key of the heartbeats.
-- commands: queue, stop-workers
SELECT job.id::text AS id, left(job.job_type::text, 200) AS job_type, job.attempts,
       coalesce(job.started_at, job.locked_at, job.updated_at) AS locked_at,
       left(job.worker_id, 200) AS locked_by, beat.last_seen_at AS last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.worker_id
WHERE job.status = 'processing'
ORDER BY coalesce(job.started_at, job.locked_at, job.updated_at)
LIMIT %(limit)s;
