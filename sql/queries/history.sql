-- affects: history, and the picture of an incident

-- name: record_history
-- Store the record of its minute; an earlier record of that minute stays. By primary key.
INSERT INTO chatops.history (minute, pending, completed, failed, api_ms, connections, database_gb, workers, usage)
VALUES (
    date_bin('1 minute', %(at)s, '2000-01-01 00:00:00+00'), %(pending)s, %(completed)s, %(failed)s, %(api_ms)s,
    %(connections)s, %(database_gb)s, %(workers)s::jsonb, %(usage)s::jsonb
)
ON CONFLICT (minute) DO NOTHING;

-- name: read_summed_until
-- Return the end of the last hour that was summed up: records by hour end there, and those by minute are read from
-- there on. Null if no hour was summed up yet. By primary key, backwards.
SELECT max(hour) + interval '1 hour' AS summed_until FROM chatops.history_hours;

-- name: sum_up_hour
-- Sum up the oldest hour with records that is not summed up yet and ended at least 2 minutes ago, and return it; no row
-- if there is none. By primary keys.
WITH next AS (
    SELECT date_bin('1 hour', min(minute), '2000-01-01 00:00:00+00') AS hour
    FROM chatops.history
    WHERE minute >= coalesce((SELECT max(hour) + interval '1 hour' FROM chatops.history_hours), '-infinity')
), seen AS MATERIALIZED (
    SELECT next.hour, known.*
    FROM next
    INNER JOIN chatops.history AS known ON known.minute >= next.hour AND known.minute < next.hour + interval '1 hour'
    WHERE next.hour + interval '62 minutes' <= %(now)s
)
INSERT INTO chatops.history_hours (
    hour, pending, completed, completed_minutes, failed, failed_minutes, api_ms, connections, database_gb, workers, usage
)
SELECT
    seen.hour, max(seen.pending), sum(seen.completed::float8), count(seen.completed), sum(seen.failed::float8),
    count(seen.failed), max(seen.api_ms), max(seen.connections), max(seen.database_gb),
    (
        SELECT jsonb_object_agg(one.id, jsonb_build_array(one.type, one.state))
        FROM (
            SELECT worker.key AS id, max(worker.value ->> 0) AS type, max((worker.value ->> 1)::integer) AS state
            FROM seen CROSS JOIN LATERAL jsonb_each(seen.workers) AS worker
            GROUP BY worker.key
        ) AS one
    ),
    (
        SELECT jsonb_object_agg(one.service, one.figures)
        FROM (
            SELECT highest.service, jsonb_object_agg(highest.figure, highest.value) AS figures
            FROM (
                SELECT used.key AS service, figure.key AS figure, max((figure.value #>> '{}')::float8) AS value
                FROM seen
                CROSS JOIN LATERAL jsonb_each(seen.usage) AS used
                CROSS JOIN LATERAL jsonb_each(used.value) AS figure
                GROUP BY used.key, figure.key
            ) AS highest
            GROUP BY highest.service
        ) AS one
    )
FROM seen
GROUP BY seen.hour
ON CONFLICT (hour) DO NOTHING
RETURNING hour;

-- name: list_history
-- List the steps of the window, oldest first: before `cut` from records by hour, from there on by minute. A step
-- without records is left out. The highest value of each step, but the mean per minute of completed and failed jobs. By
-- primary keys.
SELECT
    date_bin(%(step)s::interval, part.at, %(since)s) AS begins_at,
    max(part.pending) AS pending,
    (sum(part.completed) / nullif(sum(part.completed_minutes), 0))::float8 AS completed,
    (sum(part.failed) / nullif(sum(part.failed_minutes), 0))::float8 AS failed,
    max(part.api_ms)::float8 AS api_ms,
    max(part.connections) AS connections,
    max(part.database_gb)::float8 AS database_gb
FROM (
    SELECT
        hour AS at, pending, completed, completed_minutes, failed, failed_minutes, api_ms, connections, database_gb
    FROM chatops.history_hours
    WHERE hour >= %(since)s AND hour < %(cut)s
    UNION ALL
    SELECT
        minute, pending, completed::float8, (completed IS NOT NULL)::integer, failed::float8,
        (failed IS NOT NULL)::integer, api_ms, connections, database_gb
    FROM chatops.history
    WHERE minute >= %(cut)s AND minute < %(until)s
) AS part
GROUP BY 1
ORDER BY 1;

-- name: list_worker_history
-- List the worst state of each worker per step, from the same records as list_history; a step in which the worker's
-- state is unknown is left out. By primary keys thanks to MATERIALIZED: the planner expects 100 workers per row, and
-- would otherwise scan the table.
WITH seen AS MATERIALIZED (
    SELECT hour AS at, workers FROM chatops.history_hours WHERE hour >= %(since)s AND hour < %(cut)s
    UNION ALL
    SELECT minute, workers FROM chatops.history WHERE minute >= %(cut)s AND minute < %(until)s
)
SELECT
    date_bin(%(step)s::interval, seen.at, %(since)s) AS begins_at,
    worker.key AS worker_id,
    max(worker.value ->> 0) AS worker_type,
    max((worker.value ->> 1)::integer) AS state
FROM seen
CROSS JOIN LATERAL jsonb_each(seen.workers) AS worker
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: list_usage_history
-- List the highest usage of each service per step, from the same records as list_history; a step in which it is unknown
-- is left out. By primary keys.
WITH seen AS MATERIALIZED (
    SELECT hour AS at, usage FROM chatops.history_hours WHERE hour >= %(since)s AND hour < %(cut)s
    UNION ALL
    SELECT minute, usage FROM chatops.history WHERE minute >= %(cut)s AND minute < %(until)s
)
SELECT
    date_bin(%(step)s::interval, seen.at, %(since)s) AS begins_at,
    service.key AS service,
    max((service.value ->> 'memory_gb')::float8) AS memory_gb,
    max((service.value ->> 'memory_limit_gb')::float8) AS memory_limit_gb,
    max((service.value ->> 'cpu')::float8) AS cpu,
    max((service.value ->> 'cpu_limit')::float8) AS cpu_limit,
    max((service.value ->> 'disk_gb')::float8) AS disk_gb,
    max((service.value ->> 'received_gb')::float8) AS received_gb,
    max((service.value ->> 'sent_gb')::float8) AS sent_gb
FROM seen
CROSS JOIN LATERAL jsonb_each(seen.usage) AS service
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: read_newest_usage
-- Return the newest recorded usage of a service; no row if none was recorded within the window. By primary key,
-- backwards.
SELECT
    (found.used ->> 'memory_gb')::float8 AS memory_gb,
    (found.used ->> 'memory_limit_gb')::float8 AS memory_limit_gb,
    (found.used ->> 'cpu')::float8 AS cpu,
    (found.used ->> 'cpu_limit')::float8 AS cpu_limit,
    (found.used ->> 'disk_gb')::float8 AS disk_gb,
    (found.used ->> 'received_gb')::float8 AS received_gb,
    (found.used ->> 'sent_gb')::float8 AS sent_gb
FROM (
    SELECT usage -> %(service)s::text AS used
    FROM chatops.history
    WHERE minute > now() - %(window)s::interval AND usage ? %(service)s::text
    ORDER BY minute DESC
    LIMIT 1
) AS found;

-- name: list_deploy_moments
-- List when deployments began, oldest first: external deployments, and our own runs, also those with an unknown
-- outcome. Runs from 8 days earlier are read too, because a run may wait 7 days for its time and 1 day for its start.
-- Served by rollouts_opened_at_idx and runs_created_at_idx.
SELECT opened_at AS at FROM chatops.rollouts WHERE opened_at >= %(since)s AND opened_at < %(until)s
UNION ALL
SELECT started_at
FROM chatops.runs
WHERE created_at >= %(since)s::timestamptz - interval '8 days' AND created_at < %(until)s
    AND started_at >= %(since)s AND started_at < %(until)s
    AND playbook IN ('deploy', 'redeploy', 'rollback') AND state IN ('running', 'succeeded', 'failed', 'unknown')
ORDER BY at;

-- name: prune_history
-- Delete old records, by hour and by minute. By primary keys.
WITH hours AS (DELETE FROM chatops.history_hours WHERE hour < now() - %(older_than)s::interval)
DELETE FROM chatops.history WHERE minute < now() - %(older_than)s::interval;
