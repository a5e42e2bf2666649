-- name: list_heartbeats (runbook)
-- List the workers with a heartbeat in the last 24 hours, newest heartbeat first, because a dead worker must stay
-- visible. Served by worker_heartbeats_last_idx. The limit leaves room for 10,000 living workers: with fewer rows,
-- counts would be too low.
-- commands: health, heartbeats, sha, verify
SELECT left(worker_id, 200) AS worker_id, left(worker_type, 200) AS worker_type, left(status, 200) AS status,
       last_heartbeat_at, started_at, left(git_sha, 200) AS git_sha,
       current_job_id::text AS current_job_id, current_job_started_at, database_ok
FROM ops.worker_heartbeats
WHERE last_heartbeat_at > now() - interval '24 hours'
ORDER BY last_heartbeat_at DESC
LIMIT 20000;

-- name: list_heartbeats (civil)
-- List the workers with a heartbeat in the last 24 hours, newest heartbeat first, because a dead worker must stay
-- visible. There is one row per start of a process, never deleted; no index has the time alone, so the table is
-- scanned. A worker's current job is found among the jobs in processing, by job_queue's partial index.
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
