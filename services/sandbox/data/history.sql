-- The demo's history: a month on call, so that `report` has numbers and a known problem is recognized.
-- Inserted with the triggers disabled, because they would set current times.
ALTER TABLE chatops.incidents DISABLE TRIGGER USER;
ALTER TABLE chatops.incident_pages DISABLE TRIGGER USER;

INSERT INTO chatops.incidents (
    state, environment, severity, title, services, since, opened_at, chain, pages, first_acknowledged_at, active_at,
    cleared_at, resolved_at, resolved_by_user, resolved_by_team, cause, fingerprint
)
SELECT
    'resolved', coalesce((SELECT installation.environment FROM chatops.installation), 'dev'), 'sev2',
    past.title, ARRAY[past.service], at - interval '70 seconds', at, '{}', past.pages,
    at + past.answered, at + past.lasted, at + past.lasted, at + past.lasted + interval '4 minutes', past.who,
    'T0DRAGONFLY', past.cause, past.fingerprint
FROM (
    VALUES
    (23.3, 'ingest is down', 'dragonfly-worker-ingest', 'heartbeats.ingest', 2, interval '7 min', interval '31 min',
        'U0BEN000001', 'the database pool was full after the import'),
    (23.2, 'ingest crashed (Railway)', 'dragonfly-worker-ingest', 'crash_loop.ingest', 1, interval '3 min', interval '12 min',
        'U0BEN000001', 'a CSV with 2 million rows, out of memory'),
    (17.6, 'enforcement is down', 'dragonfly-worker-enforcement', 'heartbeats.enforcement', 1, interval '2 min',
        interval '9 min', 'U0ANN000001', 'OpenAI did not answer, the retry was too eager'),
    (11.9, 'the API is down', 'dragonfly-api', 'api', 1, interval '90 sec', interval '16 min', 'U0ANN000001',
        'a migration locked the batches'),
    (5.1, 'ingest is down', 'dragonfly-worker-ingest', 'heartbeats.ingest', 1, interval '4 min', interval '22 min',
        'U0ANN000001', 'a bad deploy, rolled back'),
    (5.0, 'ingest crashed (Railway)', 'dragonfly-worker-ingest', 'crash_loop.ingest', 1, interval '4 min', interval '18 min',
        'U0ANN000001', 'a bad deploy, rolled back'),
    (2.4, 'enforcement crashed (Railway)', 'dragonfly-worker-enforcement', 'crash_loop.enforcement', 1, interval '6 min',
        interval '14 min', 'U0BEN000001', 'a bad deploy, rolled back')
) AS past (days, title, service, fingerprint, pages, answered, lasted, who, cause),
    LATERAL (SELECT clock_timestamp() - past.days * interval '1 day') AS moment (at)
ORDER BY past.days DESC;

INSERT INTO chatops.incident_pages (incident_id, number, level, reason, paged_at)
SELECT incident.id, number, number - 1, 'an alert opened it', incident.opened_at + (number - 1) * interval '5 minutes'
FROM chatops.incidents AS incident, generate_series(1, incident.pages) AS number
WHERE incident.chain = '{}';

-- The bot was installed before all of it, so `report` shows no count as incomplete.
UPDATE chatops.installation SET created_at = created_at - interval '100 days';

-- The migrations are as old as the deployments, so that they are not suspected of problems in the first hours.
UPDATE chatops.migrations SET executed_at = executed_at - interval '5 hours';
UPDATE supabase_migrations.schema_migrations SET executed_at = executed_at - interval '5 hours';

ALTER TABLE chatops.incidents ENABLE TRIGGER USER;
ALTER TABLE chatops.incident_pages ENABLE TRIGGER USER;

-- A day of minutes for `history`: a busy evening, an import that filled the queue, and 2 h with the bot down.
INSERT INTO chatops.history (
    minute, pending, completed, failed, api_ms, connections, database_gb, workers, usage
)
SELECT
    date_bin('1 minute', clock_timestamp(), '2000-01-01 00:00:00+00') - n * interval '1 minute',
    (20 + 15 * sin(n / 160.0) + CASE WHEN n BETWEEN 430 AND 520 THEN 6 * (520 - n) ELSE 0 END)::integer,
    8 + 5 * sin(n / 160.0), CASE WHEN n BETWEEN 430 AND 460 THEN 1.5 ELSE 0 END,
    35 + 20 * abs(sin(n / 37.0)), 14 + n % 4, 1.2 - n / 20000.0,
    jsonb_build_object(
        'ingest-past', jsonb_build_array('ingest_processor', CASE WHEN n BETWEEN 430 AND 455 THEN 3 ELSE 1 END),
        'enforcement-past', jsonb_build_array('enforcement_engine', 1)
    ),
    jsonb_build_object(
        'dragonfly-api', jsonb_build_object('memory_gb', 0.12 + n % 7 * 0.001, 'memory_limit_gb', 0.5, 'cpu', 0.05),
        'dragonfly-worker-ingest',
        jsonb_build_object('memory_gb', 0.15 + (1440 - n) % 180 * 0.001, 'memory_limit_gb', 0.5, 'cpu', 0.1),
        'dragonfly-worker-enforcement', jsonb_build_object('memory_gb', 0.11, 'memory_limit_gb', 0.5, 'cpu', 0.02)
    )
FROM generate_series(2, 1439) AS n
WHERE n NOT BETWEEN 900 AND 1040;
