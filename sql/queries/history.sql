-- name: record_history
-- What is known of one minute; the first record of a minute stays. By primary key.
INSERT INTO chatops.history (minute, pending, completed, failed, api_ms, connections, database_gb, workers, usage)
VALUES (
    date_bin('1 minute', %(at)s, '2000-01-01 00:00:00+00'), %(pending)s, %(completed)s, %(failed)s, %(api_ms)s,
    %(connections)s, %(database_gb)s, %(workers)s::jsonb, %(usage)s::jsonb
)
ON CONFLICT (minute) DO NOTHING;

-- name: list_history
-- A window cut into steps; a step of which nothing was recorded is absent. The highest value of each step, the mean of
-- throughput. By primary key.
SELECT
    date_bin(%(step)s::interval, minute, %(since)s) AS begins_at,
    max(pending) AS pending,
    avg(completed)::float8 AS completed,
    avg(failed)::float8 AS failed,
    max(api_ms)::float8 AS api_ms,
    max(connections) AS connections,
    max(database_gb)::float8 AS database_gb
FROM chatops.history
WHERE minute >= %(since)s AND minute < %(until)s
GROUP BY 1
ORDER BY 1;

-- name: list_worker_history
-- The worst state of each worker per step; a step of which its state is unknown is absent. By primary key; the planner
-- takes each row for a hundred workers, and would rather scan the table than sort those.
WITH seen AS MATERIALIZED (
    SELECT minute, workers
    FROM chatops.history
    WHERE minute >= %(since)s AND minute < %(until)s
)
SELECT
    date_bin(%(step)s::interval, seen.minute, %(since)s) AS begins_at,
    worker.key AS worker_id,
    max(worker.value ->> 0) AS worker_type,
    max((worker.value ->> 1)::integer) AS state
FROM seen
CROSS JOIN LATERAL jsonb_each(seen.workers) AS worker
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: list_usage_history
-- The highest use of each service per step; a step of which it is unknown is absent. By primary key, as above.
WITH seen AS MATERIALIZED (
    SELECT minute, usage
    FROM chatops.history
    WHERE minute >= %(since)s AND minute < %(until)s
)
SELECT
    date_bin(%(step)s::interval, seen.minute, %(since)s) AS begins_at,
    service.key AS service,
    max((service.value ->> 'memory_gb')::float8) AS memory_gb,
    max((service.value ->> 'memory_limit_gb')::float8) AS memory_limit_gb,
    max((service.value ->> 'cpu')::float8) AS cpu,
    max((service.value ->> 'cpu_limit')::float8) AS cpu_limit,
    max((service.value ->> 'disk_gb')::float8) AS disk_gb
FROM seen
CROSS JOIN LATERAL jsonb_each(seen.usage) AS service
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: read_newest_usage
-- What a service used last, if that was recorded within the window. By primary key, backwards.
SELECT
    (found.used ->> 'memory_gb')::float8 AS memory_gb,
    (found.used ->> 'memory_limit_gb')::float8 AS memory_limit_gb,
    (found.used ->> 'cpu')::float8 AS cpu,
    (found.used ->> 'cpu_limit')::float8 AS cpu_limit,
    (found.used ->> 'disk_gb')::float8 AS disk_gb
FROM (
    SELECT usage -> %(service)s::text AS used
    FROM chatops.history
    WHERE minute > now() - %(window)s::interval AND usage ? %(service)s::text
    ORDER BY minute DESC
    LIMIT 1
) AS found;

-- name: list_deploy_moments
-- When a deployment began, by anyone: those that Railway showed, and our own runs, also with an unknown end. A run may
-- wait a week for its time and a day for its start. Served by rollouts_opened_at_idx and runs_created_at_idx.
SELECT opened_at AS at FROM chatops.rollouts WHERE opened_at >= %(since)s AND opened_at < %(until)s
UNION ALL
SELECT started_at
FROM chatops.runs
WHERE created_at >= %(since)s::timestamptz - interval '8 days' AND created_at < %(until)s
    AND started_at >= %(since)s AND started_at < %(until)s
    AND playbook IN ('deploy', 'redeploy', 'rollback') AND state IN ('running', 'succeeded', 'failed', 'unknown')
ORDER BY at;

-- name: prune_history
-- What is older than people look at. By primary key.
DELETE FROM chatops.history WHERE minute < now() - %(older_than)s::interval;
