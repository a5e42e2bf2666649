-- name: list_heartbeats
-- Every worker that beats or was there within a day, newest first: a dead one must stay in sight. A row stands for a start
-- of a process and is never deleted; no index has the time alone, so the table is looked through. What a worker has at hand
-- is found among the jobs in processing, by job_queue's partial index.
-- commands: health, heartbeats, sha, verify
SELECT left(beat.worker_id, 200) AS worker_id, left(beat.worker_type, 200) AS worker_type,
       left(beat.status, 200) AS status, beat.last_seen_at AS last_heartbeat_at, beat.created_at AS started_at,
       NULL::text AS git_sha, job.id::text AS current_job_id, job.started_at AS current_job_started_at,
       NULL::boolean AS database_ok
FROM ops.worker_heartbeats AS beat
LEFT JOIN (
    SELECT DISTINCT ON (worker_id) worker_id, id, started_at
    FROM ops.job_queue
    WHERE status = 'processing'
    ORDER BY worker_id, started_at DESC
) AS job ON job.worker_id = beat.worker_id
WHERE beat.last_seen_at > now() - interval '24 hours'
ORDER BY beat.last_seen_at DESC
LIMIT 20000;
