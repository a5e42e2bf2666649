-- Four years of incidents, alerts, runs and deployments, made from numbers, so that a golden query needs no table of ours.
-- Planted without triggers and foreign keys, which keep other moments than those of the past.
SET session_replication_role = replica;
CREATE TABLE public.planted AS SELECT date_trunc('second', clock_timestamp()) AS base;
INSERT INTO chatops.installation (environment, created_at) VALUES ('prod', now() - interval '5 years');

INSERT INTO chatops.incidents (
    id, state, environment, severity, title, services, since, opened_at, chain, pages, first_acknowledged_at,
    acknowledged_at, acknowledged_by_user, acknowledged_by_team, resolved_at, resolved_by_user, resolved_by_team, cause,
    cleared_at
)
OVERRIDING SYSTEM VALUE
SELECT
    n, CASE WHEN n <= 2 THEN 'acknowledged' ELSE 'resolved' END::chatops.incident_state,
    CASE WHEN n % 11 = 0 THEN 'dev' ELSE 'prod' END, 'sev2', 'planted',
    CASE n % 3 WHEN 0 THEN ARRAY['dragonfly-worker-ingest'] WHEN 1 THEN ARRAY['dragonfly-api'] ELSE '{}' END,
    at - interval '3 minutes', at, '{}', CASE WHEN n % 4 = 0 THEN 0 ELSE 1 + n % 2 END,
    CASE WHEN n % 5 <> 0 THEN at + make_interval(secs => 30 + n % 977) END,
    CASE WHEN n <= 2 THEN at + interval '1 minute' END, CASE WHEN n <= 2 THEN 'U1' END, CASE WHEN n <= 2 THEN 'T1' END,
    CASE WHEN n > 2 THEN at + make_interval(secs => 600 + n % 1013) END, CASE WHEN n > 2 THEN 'U1' END,
    CASE WHEN n > 2 THEN 'T1' END, CASE WHEN n > 2 THEN 'planted' END,
    CASE WHEN n % 2 = 0 THEN at + make_interval(secs => 300 + n % 211) END
FROM public.planted, generate_series(1, 5000) AS n, LATERAL (SELECT base - n * interval '7 hours') AS moment (at);

INSERT INTO chatops.incident_pages (incident_id, number, level, reason, paged_at)
SELECT incident.id, number, 0, 'planted', incident.opened_at + number * interval '5 minutes'
FROM chatops.incidents AS incident, generate_series(1, incident.pages) AS number;

INSERT INTO chatops.alerts (
    id, fingerprint, state, since, fired_at, resolved_at, summary, rule, severity, service, opened_at, fires
)
OVERRIDING SYSTEM VALUE
SELECT
    n, CASE WHEN n % 13 = 0 THEN 'drill.1' ELSE 'planted.' || n END, 'resolved', at, at, at + interval '10 minutes', 'planted',
    CASE WHEN n % 13 = 0 THEN 'drill' ELSE (ARRAY['heartbeats', 'backlog', 'api', 'restarts'])[1 + n % 4] END, 'page',
    CASE n % 2 WHEN 0 THEN 'dragonfly-worker-ingest' ELSE 'dragonfly-api' END, at, n % 3
FROM public.planted, generate_series(1, 20000) AS n, LATERAL (SELECT base - n * interval '90 minutes') AS moment (at);

-- Every sixth alert joined the incident of a sixth of its number.
INSERT INTO chatops.incident_alerts (alert_id, incident_id, fingerprint, line, since)
SELECT id, id / 6, fingerprint, 'planted', since FROM chatops.alerts WHERE id % 6 = 0;

INSERT INTO chatops.alert_decisions (at, fingerprint, alert_id, decision, reason)
SELECT at, 'planted.' || n, n, (ARRAY['not told', 'told', 'passed', 'silenced', 'not told'])[1 + n % 5],
    (ARRAY['silence 7: we move', 'explained by database, which is firing', 'run 12 works on ingest', 'late'])[1 + n % 4]
FROM public.planted, generate_series(1, 20000) AS n, LATERAL (SELECT base - n * interval '90 minutes') AS moment (at);

INSERT INTO chatops.runs (
    id, state, environment, playbook, parameters, plan, plan_hash, risk, title, services, reason, channel,
    approvals_needed, kinds, format, created_at, expires_at, approved_at, started_at, ended_at
)
OVERRIDING SYSTEM VALUE
SELECT
    n, CASE WHEN n % 9 = 0 THEN 'expired' WHEN n % 7 = 0 THEN 'failed' ELSE 'succeeded' END::chatops.run_state,
    CASE WHEN n % 17 = 0 THEN 'dev' ELSE 'prod' END, (ARRAY['deploy', 'rollback', 'restart'])[1 + n % 3], '{}', '{}',
    repeat('a', 64), 'high', 'planted', ARRAY[CASE n % 2 WHEN 0 THEN 'dragonfly-worker-ingest' ELSE 'dragonfly-api' END],
    'planted', 'C1', n % 2, ARRAY['planted'], 1, at, at + interval '15 minutes',
    CASE WHEN n % 9 <> 0 THEN at + make_interval(secs => 20 + n % 499) END,
    CASE WHEN n % 9 <> 0 THEN at + make_interval(secs => 20 + n % 499) END, at + interval '20 minutes'
FROM public.planted, generate_series(1, 3000) AS n, LATERAL (SELECT base - n * interval '11 hours') AS moment (at);

-- Of every seventh some failed, some never arrived.
INSERT INTO chatops.rollouts (id, commit_sha, opened_at, settled_at, served_at, closed_at, outcome)
OVERRIDING SYSTEM VALUE
SELECT n, lpad(to_hex(n), 40, '0'), at, CASE WHEN n % 7 <> 5 THEN at + make_interval(secs => 60 + n % 13) END,
    CASE WHEN n % 7 NOT IN (3, 5) THEN at + make_interval(secs => 60 + n % 13) END, at, 'planted'
FROM public.planted, generate_series(1, 3000) AS n, LATERAL (SELECT base - n * interval '10 hours') AS moment (at);
INSERT INTO chatops.rollout_deployments (deployment_id, service, rollout_id, seen_at)
SELECT 'd' || n, CASE n % 2 WHEN 0 THEN 'dragonfly-api' ELSE 'dragonfly-worker-ingest' END, n, base
FROM public.planted, generate_series(1, 3000) AS n;
-- Every fourth of them was never asked about, of every fifth GitHub knows nothing, every eleventh is made in the future.
INSERT INTO chatops.commits (sha, committed_at)
SELECT lpad(to_hex(n), 40, '0'), CASE WHEN n % 5 <> 0 THEN
    CASE WHEN n % 11 = 0 THEN at + interval '1 hour' ELSE at - make_interval(secs => 3600 + n % 977) END END
FROM public.planted, generate_series(1, 3000) AS n, LATERAL (SELECT base - n * interval '10 hours') AS moment (at)
WHERE n % 4 <> 0;
ANALYZE chatops.incidents, chatops.incident_pages, chatops.alerts, chatops.incident_alerts, chatops.alert_decisions,
    chatops.runs, chatops.rollouts, chatops.rollout_deployments,
    chatops.commits;
