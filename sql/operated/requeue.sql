-- name: requeue_jobs (runbook)
-- Put failed and orphaned jobs back to pending and return their ids. By primary key. The heartbeat limit depends on the
-- type of the worker that holds a job, so the function is called once per limit, always in the same order.
-- commands: requeue
SELECT requeued::text AS id
FROM (
    SELECT array_agg(job.id ORDER BY job.id) AS job_ids, limited.stale_after
    FROM ops.job_queue AS job
    LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.locked_by
    CROSS JOIN LATERAL (
        SELECT coalesce((%(stale_by_type)s::jsonb ->> beat.worker_type)::interval, %(stale_after)s::interval) AS stale_after
    ) AS limited
    WHERE job.id = ANY (%(job_ids)s::uuid[])
    GROUP BY limited.stale_after
    ORDER BY limited.stale_after
) AS chosen
CROSS JOIN LATERAL ops.requeue_jobs(chosen.job_ids, chosen.stale_after) AS requeued;

-- name: requeue_jobs (civil)
-- Put failed and orphaned jobs back to pending and return their ids, by the function that the adoption creates. By
-- primary key. The heartbeat limit depends on the type of the worker that holds a job, so the function is called once
-- per limit, always in the same order.
-- commands: requeue
SELECT requeued::text AS id
FROM (
    SELECT array_agg(job.id ORDER BY job.id) AS job_ids, limited.stale_after
    FROM ops.job_queue AS job
    LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.worker_id
    CROSS JOIN LATERAL (
        SELECT coalesce((%(stale_by_type)s::jsonb ->> beat.worker_type)::interval, %(stale_after)s::interval) AS stale_after
    ) AS limited
    WHERE job.id = ANY (%(job_ids)s::uuid[])
    GROUP BY limited.stale_after
    ORDER BY limited.stale_after
) AS chosen
CROSS JOIN LATERAL chatops.requeue_jobs(chosen.job_ids, chosen.stale_after) AS requeued;

-- name: list_orphaned_jobs (runbook)
-- List jobs in processing whose worker has no fresh heartbeat, however recently they were locked, the longest locked
-- first. Served by job_queue_processing_idx and the primary key of the heartbeats.
-- commands: requeue
SELECT job.id::text AS id, left(job.job_type, 200) AS job_type, job.attempts, job.locked_at,
       left(job.locked_by, 200) AS locked_by, beat.last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.locked_by
WHERE job.status = 'processing'
    AND (
        beat.worker_id IS NULL
        OR beat.status = 'stopped'
        OR beat.last_heartbeat_at < now()
            - coalesce((%(stale_by_type)s::jsonb ->> beat.worker_type)::interval, %(stale_after)s::interval)
    )
ORDER BY job.locked_at
LIMIT %(limit)s;

-- name: list_orphaned_jobs (civil)
-- List jobs in processing whose worker has no fresh heartbeat, however recently they were locked, the longest locked
-- first. Served by the partial index of jobs in processing and the primary key of the heartbeats.
-- commands: requeue
SELECT job.id::text AS id, left(job.job_type::text, 200) AS job_type, job.attempts,
       coalesce(job.started_at, job.locked_at, job.updated_at) AS locked_at,
       left(job.worker_id, 200) AS locked_by, beat.last_seen_at AS last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.worker_id
WHERE job.status = 'processing'
    AND (
        beat.worker_id IS NULL
        OR beat.status IN ('stopped', 'error')
        OR beat.last_seen_at < now()
            - coalesce((%(stale_by_type)s::jsonb ->> beat.worker_type)::interval, %(stale_after)s::interval)
    )
ORDER BY coalesce(job.started_at, job.locked_at, job.updated_at)
LIMIT %(limit)s;

-- name: list_jobs (runbook)
-- List the jobs with these ids, ordered by id; unknown ids are left out. By primary key.
-- commands: requeue
SELECT id::text AS id, left(job_type, 200) AS job_type, left(status, 200) AS status, attempts, max_attempts, updated_at
FROM ops.job_queue
WHERE id = ANY (%(job_ids)s::uuid[])
ORDER BY id;

-- name: list_jobs (civil)
-- List the jobs with these ids, ordered by id; unknown ids are left out. By primary key.
-- commands: requeue
SELECT id::text AS id, left(job_type::text, 200) AS job_type, left(status::text, 200) AS status, attempts, max_attempts,
       updated_at
FROM ops.job_queue
WHERE id = ANY (%(job_ids)s::uuid[])
ORDER BY id;
