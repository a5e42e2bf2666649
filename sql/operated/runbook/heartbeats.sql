-- name: list_heartbeats
-- Every worker that beats or was there within a day, newest first: a dead one must stay in sight.
-- Served by worker_heartbeats_last_idx. The limit leaves room for 10 000 that beat: fewer rows would count too few.
-- commands: health, heartbeats, sha, verify
SELECT left(worker_id, 200) AS worker_id, left(worker_type, 200) AS worker_type, left(status, 200) AS status,
       last_heartbeat_at, started_at, left(git_sha, 200) AS git_sha,
       current_job_id::text AS current_job_id, current_job_started_at, database_ok
FROM ops.worker_heartbeats
WHERE last_heartbeat_at > now() - interval '24 hours'
ORDER BY last_heartbeat_at DESC
LIMIT 20000;
