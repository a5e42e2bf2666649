-- affects: report, and the weekly report

-- name: read_records_since
-- Return the time from which on there may be records: when the bot was installed, or its first incident if that is
-- older, as in a database that was installed again. No row if the bot is not installed. By primary key and
-- incidents_opened_at_idx.
SELECT least(created_at, (SELECT min(incident.opened_at) FROM chatops.incidents AS incident)) AS since
FROM chatops.installation
WHERE only_row;

-- name: report_incidents
-- Count the incidents of the window and average how fast they were answered; drills are left out. Served by
-- incidents_opened_at_idx and incident_alerts_incident_id_idx: an EXISTS would read all alerts ever stored.
SELECT
    count(*) AS incidents,
    count(*) FILTER (WHERE incident.pages > 0) AS paged,
    count(*) FILTER (WHERE incident.pages > 0 AND incident.first_acknowledged_at IS NOT NULL) AS acknowledged,
    count(*) FILTER (WHERE incident.state = 'resolved') AS resolved,
    avg(extract(EPOCH FROM incident.first_acknowledged_at - incident.opened_at))
        FILTER (WHERE incident.pages > 0)::float8 AS acknowledge_s,
    avg(extract(EPOCH FROM incident.resolved_at - incident.opened_at))::float8 AS resolve_s,
    avg(extract(EPOCH FROM coalesce(incident.cleared_at, incident.resolved_at) - incident.since))
        FILTER (WHERE incident.pages > 0 AND incident.state = 'resolved')::float8 AS restore_s
FROM chatops.incidents AS incident
WHERE incident.opened_at >= %(since)s AND incident.opened_at < %(until)s
    AND incident.environment = %(environment)s
    AND (%(service)s::text IS NULL OR %(service)s::text = ANY (incident.services))
    AND (
        SELECT bool_or(starts_with(alert.fingerprint, 'drill.'))
        FROM chatops.incident_alerts AS alert
        WHERE alert.incident_id = incident.id
    ) IS NOT TRUE;

-- name: report_shifts
-- Count the incidents that paged people, per shift of 12 hours from 08:00 or 20:00; shifts without any are left out.
-- Served by incident_pages_paged_at_idx.
SELECT
    date_bin('12 hours', page.paged_at AT TIME ZONE %(zone)s, timestamp '2000-01-01 08:00') AS begins_at,
    count(DISTINCT page.incident_id) AS pages
FROM chatops.incident_pages AS page
INNER JOIN chatops.incidents AS incident ON incident.id = page.incident_id
WHERE page.paged_at >= %(since)s AND page.paged_at < %(until)s
    AND incident.environment = %(environment)s
    AND (%(service)s::text IS NULL OR %(service)s::text = ANY (incident.services))
    AND (
        SELECT bool_or(starts_with(alert.fingerprint, 'drill.'))
        FROM chatops.incident_alerts AS alert
        WHERE alert.incident_id = incident.id
    ) IS NOT TRUE
GROUP BY 1
ORDER BY 1;

-- name: report_held_back
-- List the reasons why alerts were not announced, the most frequent first. Served by alert_decisions_at_idx.
SELECT
    CASE
        WHEN decision.decision = 'passed' THEN 'cleared by itself'
        WHEN starts_with(decision.reason, 'silence ') THEN 'silenced'
        WHEN starts_with(decision.reason, 'explained by ') THEN 'explained by another alert'
        WHEN starts_with(decision.reason, 'run ') THEN 'a run worked on it'
        ELSE 'no one was watching before'
    END AS reason,
    count(*) AS times
FROM chatops.alert_decisions AS decision
LEFT JOIN chatops.alerts AS alert ON alert.id = decision.alert_id
WHERE decision.at >= %(since)s AND decision.at < %(until)s
    AND decision.decision IN ('not told', 'silenced', 'passed')
    AND (%(service)s::text IS NULL OR alert.service = %(service)s::text)
    AND NOT starts_with(decision.fingerprint, 'drill.')
GROUP BY 1
ORDER BY times DESC, reason;

-- name: report_rules
-- List the rules with announced alerts, and how many of the alerts led to action: their incident was acknowledged, or a
-- run on their service was requested while they fired. Served by alerts_opened_at_idx, runs_created_at_idx and primary
-- keys.
SELECT
    alert.rule,
    count(*) AS alerts,
    count(*) FILTER (WHERE
        EXISTS (
            SELECT FROM chatops.incident_alerts AS joined
            INNER JOIN chatops.incidents AS incident ON incident.id = joined.incident_id
            WHERE joined.alert_id = alert.id AND incident.first_acknowledged_at IS NOT NULL
        )
        OR EXISTS (
            SELECT FROM chatops.runs AS run
            WHERE run.created_at >= alert.opened_at AND run.created_at < coalesce(alert.resolved_at, %(until)s)
                AND alert.service = ANY (run.services)
        )
    ) AS acted
FROM chatops.alerts AS alert
WHERE alert.opened_at >= %(since)s AND alert.opened_at < %(until)s
    AND alert.fires > 0
    AND (%(service)s::text IS NULL OR alert.service = %(service)s::text)
    AND alert.rule <> 'drill'
GROUP BY alert.rule
ORDER BY alerts DESC, alert.rule;

-- name: report_approvals
-- Count the requests that need approvers and how many were approved, and average how long these waited for the last
-- approver. Served by runs_created_at_idx.
SELECT
    count(*) AS requested,
    count(approved_at) AS approved,
    avg(extract(EPOCH FROM approved_at - created_at))::float8 AS wait_s
FROM chatops.runs
WHERE created_at >= %(since)s AND created_at < %(until)s
    AND environment = %(environment)s AND approvals_needed > 0
    AND (%(service)s::text IS NULL OR %(service)s::text = ANY (services));

-- name: report_deployments
-- Count the commits that were deployed, by runs or externally, and those that failed: a rollback of one of their
-- services within 1 day, or an incident that paged people about one within 1 hour. Lead time: from the commit until it
-- ran, of those for which GitHub knows the commit time; one that is later, by a clock ahead of ours, is left out.
-- Served by rollouts_opened_at_idx, rollout_deployments_rollout_idx, runs_created_at_idx, incidents_opened_at_idx and
-- commits_pkey.
WITH made AS (
    SELECT
        opened_at AS at,
        served_at AS ran_at,
        commit_sha AS sha,
        (SELECT array_agg(DISTINCT deployment.service)
         FROM chatops.rollout_deployments AS deployment
         WHERE deployment.rollout_id = rollouts.id) AS services
    FROM chatops.rollouts
    WHERE opened_at >= %(since)s AND opened_at < %(until)s
    UNION ALL
    SELECT created_at, ended_at, parameters ->> 'sha', services
    FROM chatops.runs
    WHERE created_at >= %(since)s AND created_at < %(until)s
        AND environment = %(environment)s AND playbook = 'deploy' AND state = 'succeeded'
)
SELECT
    count(*) AS deployments,
    count(*) FILTER (WHERE
        EXISTS (
            SELECT FROM chatops.runs AS run
            WHERE run.created_at >= made.at AND run.created_at < made.at + interval '1 day'
                AND run.playbook = 'rollback' AND run.state = 'succeeded' AND run.services && made.services
        )
        OR EXISTS (
            SELECT FROM chatops.incidents AS incident
            WHERE incident.opened_at >= made.at AND incident.opened_at < made.at + interval '1 hour'
                AND incident.environment = %(environment)s
                AND incident.pages > 0 AND incident.services && made.services
        )
    ) AS failed,
    count(lead.seconds) AS timed,
    avg(lead.seconds)::float8 AS lead_time_s
FROM made
CROSS JOIN LATERAL (
    SELECT (
        SELECT extract(EPOCH FROM made.ran_at - commits.committed_at)
        FROM chatops.commits
        WHERE commits.sha = made.sha AND commits.committed_at <= made.ran_at
    ) AS seconds
) AS lead
WHERE %(service)s::text IS NULL OR %(service)s::text = ANY (made.services);

-- name: list_untimed_commits
-- List deployed commits without a commit time, those deployed last first; one that GitHub did not know is left out for
-- `again_after`. Served by rollouts_opened_at_idx, runs_created_at_idx and commits_pkey.
SELECT found.sha
FROM (
    SELECT commit_sha AS sha, opened_at AS at FROM chatops.rollouts WHERE opened_at >= %(since)s
    UNION ALL
    SELECT parameters ->> 'sha', created_at FROM chatops.runs
    WHERE created_at >= %(since)s AND playbook = 'deploy' AND state = 'succeeded'
) AS found
WHERE found.sha ~ '^[0-9a-f]{40}$'
    AND NOT EXISTS (
        SELECT FROM chatops.commits
        WHERE commits.sha = found.sha
            AND (commits.committed_at IS NOT NULL OR commits.read_at > now() - %(again_after)s::interval)
    )
GROUP BY found.sha
ORDER BY max(found.at) DESC
LIMIT %(limit)s;

-- name: record_commit
-- Store the time of a commit, null if the repository has no such commit; a known time stays. By primary key.
INSERT INTO chatops.commits (sha, committed_at) VALUES (%(sha)s, %(committed_at)s)
ON CONFLICT (sha) DO UPDATE SET committed_at = excluded.committed_at, read_at = clock_timestamp()
WHERE commits.committed_at IS NULL;
