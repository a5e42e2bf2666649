-- name: requeue_jobs
-- Put failed and orphaned jobs back to pending; the ids of those that are. By primary key.
SELECT requeued::text AS id
FROM ops.requeue_jobs(%(job_ids)s::uuid[], %(stale_after)s::interval) AS requeued;

-- name: list_orphaned_jobs
-- Jobs in processing whose worker does not beat, however short ago they were locked. Served by
-- job_queue_processing_idx and the primary key of the heartbeats.
SELECT job.id::text AS id, left(job.job_type, 200) AS job_type, job.attempts, job.locked_at,
       left(job.locked_by, 200) AS locked_by, beat.last_heartbeat_at
FROM ops.job_queue AS job
LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.locked_by
WHERE job.status = 'processing'
    AND (
        beat.worker_id IS NULL
        OR beat.status = 'stopped'
        OR beat.last_heartbeat_at < now() - %(stale_after)s::interval
    )
ORDER BY job.locked_at
LIMIT %(limit)s;

-- name: list_jobs
-- What became of these jobs. By primary key.
SELECT id::text AS id, left(job_type, 200) AS job_type, left(status, 200) AS status, attempts, max_attempts, updated_at
FROM ops.job_queue
WHERE id = ANY (%(job_ids)s::uuid[])
ORDER BY id;
