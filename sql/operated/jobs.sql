-- name: read_queue_snapshot (runbook)
-- The state of the queue in one moment. Each part is served by a partial index: job_queue_claim_idx,
-- job_queue_processing_idx, job_queue_failed_idx. A job in the future (backing off) is pending but has not waited, nor has
-- one of whose type no more may run now.
-- What is pending is counted up to a limit, so that a backlog costs no more than that.
-- Orphaned: in processing, and its worker does not beat, however short ago it was locked.
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
-- The state of the queue in one moment. A pending job is due from coalesce(next_run_at, created_at) on, and after a try not
-- before its lock is half an hour old; priority and run_at are ignored, as by the system. What is due longest is among the
-- first thousand by either time, which the partial index of pending jobs gives in order. Jobs that failed are read by their
-- status, however long ago it was: no index has that time.
-- What is pending is counted up to a limit, so that a backlog costs no more than that.
-- Orphaned: in processing, and its worker does not beat, however short ago it was locked.
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
-- The latest failed jobs. Served by job_queue_failed_idx. Of an error no more than is looked at: it may be of any length.
-- commands: failed-jobs, requeue
SELECT id::text AS id, left(job_type, 200) AS job_type, attempts,
       left(error_message, %(error_limit)s::integer) AS error_message, updated_at
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval
ORDER BY updated_at DESC
LIMIT %(limit)s;

-- name: list_failed_jobs (civil)
-- The latest failed jobs, found by their status, however long ago it was: no index has that time. Of an error no more than
-- is looked at: it may be of any length.
-- commands: failed-jobs, requeue
SELECT id::text AS id, left(job_type::text, 200) AS job_type, attempts,
       left(last_error, %(error_limit)s::integer) AS error_message, updated_at
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval
ORDER BY updated_at DESC
LIMIT %(limit)s;

-- name: read_job_error (runbook)
-- The error of one job, no longer than a message can show. By primary key.
-- commands: reveal
SELECT left(error_message, %(error_limit)s::integer) AS error_message
FROM ops.job_queue
WHERE id = %(job_id)s::uuid;

-- name: read_job_error (civil)
-- The error of one job, no longer than a message can show. By primary key. What a completed job keeps is the error of an
-- earlier try.
-- commands: reveal
SELECT left(CASE WHEN status <> 'completed' THEN last_error END, %(error_limit)s::integer) AS error_message
FROM ops.job_queue
WHERE id = %(job_id)s::uuid;

-- name: count_failed_jobs
-- How many failed in a window, also when the list above is cut. Served by job_queue_failed_idx; civil has the status
-- alone in an index.
-- commands: failed-jobs
SELECT count(*)
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval;

-- name: count_exhausted_jobs
-- How many failed on their last attempt in a window. Served as count_failed_jobs is.
SELECT count(*)
FROM ops.job_queue
WHERE status = 'failed' AND updated_at > now() - %(window)s::interval AND attempts >= max_attempts;

-- name: list_throughput
-- Jobs that ended, one row per minute, newest first; minutes without any are absent. Served by job_queue_updated_idx alone;
-- civil has the status alone in an index, so it reads every job that ended, however long ago.
-- commands: throughput
SELECT date_trunc('minute', updated_at) AS minute,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'failed') AS failed
FROM ops.job_queue
WHERE updated_at > now() - %(window)s::interval AND status IN ('completed', 'failed')
GROUP BY 1
ORDER BY 1 DESC;

-- name: list_oldest_pending (runbook)
-- Due jobs that have waited longest. Served by job_queue_claim_idx, so many of each type and priority at most.
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
-- Due jobs that have waited longest, by the two orders of the partial index of pending jobs. Due as in read_queue_snapshot.
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
-- Of each job type, since when the job that would be claimed next has been due: nothing of a type that has none, or of
-- which no more may run now. Served by job_queue_claim_idx, as a claim is, and job_queue_processing_idx.
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
-- Of each job type, since when a job has been due; nothing of a type that has none. No index has the type: pending jobs are
-- looked through by their partial index. Due as in read_queue_snapshot.
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
-- Of each job type that no worker claims, since when its oldest job has been due. Served by job_queue_claim_idx.
-- commands: queue, doctor
SELECT left(level.job_type, 200) AS job_type, min(level.run_at) AS due_at
FROM ops.pending_levels AS level
WHERE level.job_type <> ALL (%(job_types)s::text[]) AND level.run_at <= now()
GROUP BY level.job_type
ORDER BY due_at;

-- name: list_unclaimed (civil)
-- Of each job type that no worker claims, since when its oldest job has been due. Pending jobs are looked through by their
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
-- Jobs in processing, longest first, with the age of their worker's beat. Served by job_queue_processing_idx and the
-- primary key of the heartbeats.
-- commands: queue, stop-workers
SELECT job.id::text AS id, left(job.job_type, 200) AS job_type, job.attempts, job.locked_at,
       left(job.locked_by, 200) AS locked_by, beat.last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.locked_by
WHERE job.status = 'processing'
ORDER BY job.locked_at
LIMIT %(limit)s;

-- name: list_running_jobs (civil)
-- Jobs in processing, longest first, with the age of their worker's beat. Served by the partial index of jobs in processing
-- and the primary key of the heartbeats.
-- commands: queue, stop-workers
SELECT job.id::text AS id, left(job.job_type::text, 200) AS job_type, job.attempts,
       coalesce(job.started_at, job.locked_at, job.updated_at) AS locked_at,
       left(job.worker_id, 200) AS locked_by, beat.last_seen_at AS last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.worker_id
WHERE job.status = 'processing'
ORDER BY coalesce(job.started_at, job.locked_at, job.updated_at)
LIMIT %(limit)s;
