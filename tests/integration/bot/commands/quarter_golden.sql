-- What `report` has to say of the planted history, counted from the numbers that it was made of: no table of ours is read.
-- Only the newest of them, a little more than a quarter. Parameters: base, since, until, service (full name or null), zone.
WITH incidents AS (
    SELECT n, base - n * interval '7 hours' AS at, n %% 4 <> 0 AS paged, 1 + n %% 2 AS rounds, n %% 11 <> 0 AS ours,
        n %% 13 = 0 AS is_drill, n %% 5 <> 0 AS answered, 30 + n %% 977 AS ack_s, n > 2 AS over, 600 + n %% 1013 AS over_s,
        180 + CASE WHEN n %% 2 = 0 THEN 300 + n %% 211 ELSE 600 + n %% 1013 END AS restored_s,
        CASE n %% 3 WHEN 0 THEN 'dragonfly-worker-ingest' WHEN 1 THEN 'dragonfly-api' END AS service
    FROM generate_series(1, 400) AS n, (SELECT %(base)s::timestamptz AS base) AS planted
), meant AS (
    SELECT * FROM incidents
    WHERE at BETWEEN %(since)s AND %(until)s AND ours
        AND NOT (n * 6 <= 20000 AND n * 6 %% 13 = 0)
        AND coalesce(service = %(service)s, %(service)s IS NULL)
), pages AS (
    SELECT DISTINCT one.n, floor((extract(EPOCH FROM (one.at + number * interval '5 minutes') AT TIME ZONE %(zone)s)
        - extract(EPOCH FROM timestamp '2000-01-01 08:00')) / 43200) AS shift
    FROM incidents AS one, generate_series(1, one.rounds) AS number
    WHERE one.paged AND one.ours AND NOT (one.n * 6 <= 20000 AND one.n * 6 %% 13 = 0)
        AND one.at + number * interval '5 minutes' BETWEEN %(since)s AND %(until)s
        AND coalesce(one.service = %(service)s, %(service)s IS NULL)
), runs AS (
    SELECT n, %(base)s::timestamptz - n * interval '11 hours' AS at, 20 + n %% 499 AS wait_s, n %% 9 <> 0 AS approved,
        n %% 9 <> 0 AND n %% 7 <> 0 AS succeeded, n %% 2 = 1 AS asks, n %% 17 <> 0 AS ours, n %% 3 AS kind,
        CASE n %% 2 WHEN 0 THEN 'dragonfly-worker-ingest' ELSE 'dragonfly-api' END AS service
    FROM generate_series(1, 300) AS n
), alerts AS (
    SELECT n, %(base)s::timestamptz - n * interval '90 minutes' AS at,
        (ARRAY['heartbeats', 'backlog', 'api', 'restarts'])[1 + n %% 4] AS rule,
        CASE n %% 2 WHEN 0 THEN 'dragonfly-worker-ingest' ELSE 'dragonfly-api' END AS service
    FROM generate_series(1, 1700) AS n
    WHERE n %% 13 <> 0
), acted AS (
    SELECT n FROM alerts WHERE n %% 6 = 0 AND n / 6 BETWEEN 1 AND 5000 AND n / 6 %% 5 <> 0
    UNION
    SELECT alerts.n FROM alerts JOIN runs USING (service) WHERE runs.at >= alerts.at AND runs.at < alerts.at + interval '10 min'
), made AS (
    SELECT 'commit ' || n AS name, %(base)s::timestamptz - n * interval '10 hours' AS at,
        CASE n %% 2 WHEN 0 THEN 'dragonfly-api' ELSE 'dragonfly-worker-ingest' END AS service,
        CASE WHEN n %% 4 <> 0 AND n %% 5 <> 0 AND n %% 7 NOT IN (3, 5) AND n %% 11 <> 0
            THEN 3660 + n %% 977 + n %% 13 END AS lead_s
    FROM generate_series(1, 300) AS n
    UNION ALL
    SELECT 'run ' || n, at, service, NULL FROM runs WHERE kind = 0 AND succeeded AND ours
), bad AS (
    SELECT made.name FROM made JOIN runs USING (service)
    WHERE runs.kind = 1 AND runs.succeeded AND runs.at >= made.at AND runs.at < made.at + interval '24 hours'
    UNION
    SELECT made.name FROM made JOIN incidents USING (service)
    WHERE incidents.paged AND incidents.ours AND incidents.at >= made.at AND incidents.at < made.at + interval '60 minutes'
)
SELECT jsonb_build_object(
    'incidents', (SELECT jsonb_build_object(
        'incidents', count(*), 'paged', sum(paged::int), 'acknowledged', sum((paged AND answered)::int),
        'resolved', sum(over::int),
        'acknowledge_s', (sum(CASE WHEN paged AND answered THEN ack_s END)::numeric / nullif(sum((paged AND answered)::int), 0))::float8,
        'resolve_s', (sum(CASE WHEN over THEN over_s END)::numeric / nullif(sum(over::int), 0))::float8,
        'restore_s', (sum(CASE WHEN paged AND over THEN restored_s END)::numeric / nullif(sum((paged AND over)::int), 0))::float8
    ) FROM meant),
    'shifts', (SELECT jsonb_agg(jsonb_build_array(shift::int %% 2 <> 0, times) ORDER BY shift)
        FROM (SELECT shift, count(*) AS times FROM pages GROUP BY shift) AS one),
    'rules', (SELECT jsonb_object_agg(rule, ARRAY[times, led]) FROM (
        SELECT rule, count(*) AS times, count(acted.n) AS led FROM alerts LEFT JOIN acted USING (n)
        WHERE at BETWEEN %(since)s AND %(until)s AND alerts.n %% 3 > 0
            AND coalesce(service = %(service)s, %(service)s IS NULL)
        GROUP BY rule) AS one),
    'held_back', (SELECT jsonb_object_agg(reason, times) FROM (
        SELECT CASE WHEN n %% 5 = 2 THEN 'cleared by itself' ELSE (ARRAY['silenced', 'explained by another alert',
            'a run worked on it', 'no one was watching before'])[1 + n %% 4] END AS reason, count(*) AS times
        FROM generate_series(1, 1700) AS n
        WHERE n %% 5 <> 1 AND %(base)s::timestamptz - n * interval '90 minutes' BETWEEN greatest(%(since)s, %(until)s - interval '30 days') AND %(until)s
            AND coalesce(CASE n %% 2 WHEN 0 THEN 'dragonfly-worker-ingest' ELSE 'dragonfly-api' END = %(service)s, %(service)s IS NULL)
        GROUP BY 1) AS one),
    'approvals', (SELECT jsonb_build_object('requested', count(*), 'approved', coalesce(sum(approved::int), 0),
        'wait_s', (sum(CASE WHEN approved THEN wait_s END)::numeric / nullif(sum(approved::int), 0))::float8)
        FROM runs WHERE asks AND ours AND at BETWEEN %(since)s AND %(until)s
            AND coalesce(service = %(service)s, %(service)s IS NULL)),
    'deployments', (SELECT jsonb_build_object('deployments', count(*), 'failed', count(bad.name),
        'timed', count(lead_s), 'lead_time_s', (sum(lead_s)::numeric / nullif(count(lead_s), 0))::float8)
        FROM made LEFT JOIN bad USING (name) WHERE at BETWEEN %(since)s AND %(until)s
            AND coalesce(service = %(service)s, %(service)s IS NULL))
);
