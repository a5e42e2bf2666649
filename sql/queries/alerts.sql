-- affects: the alerts

-- name: list_alerts
-- List the newest alert per fingerprint, of those that are open or were resolved within `again_within`. Served by
-- alerts_open_fingerprint_idx and alerts_resolved_at_idx. Only the newest alert of a fingerprint can be open.
SELECT DISTINCT ON (fingerprint)
    id, fingerprint, rule, state::text AS state, severity, service, summary AS title, detail, since, opened_at, fires,
    fired_at, told_at, said_at, fine_since, resolved_at, held, line, message_key
FROM chatops.alerts
WHERE state <> 'resolved' OR (state = 'resolved' AND resolved_at > %(now)s::timestamptz - %(again_within)s::interval)
ORDER BY fingerprint, id DESC;

-- name: list_alerts_of_message
-- List the alerts that share this message, in the order in which they were found. Served by alerts_message_key_idx.
SELECT
    id, fingerprint, rule, state::text AS state, severity, service, summary AS title, detail, since, opened_at, fires,
    fired_at, told_at, said_at, fine_since, resolved_at, held, line, message_key
FROM chatops.alerts
WHERE message_key = %(message_key)s
ORDER BY id;

-- name: read_alert
-- Return the alert; no row if there is none with this id. By primary key.
SELECT
    id, fingerprint, rule, state::text AS state, severity, service, summary AS title, detail, since, opened_at, fires,
    fired_at, told_at, said_at, fine_since, resolved_at, held, line, message_key
FROM chatops.alerts
WHERE id = %(id)s;

-- name: open_alert
-- Store a new alert and return its id. alerts_open_fingerprint_idx allows only one open alert per fingerprint.
INSERT INTO chatops.alerts (
    fingerprint, rule, state, severity, service, summary, detail, since, opened_at, fires, fired_at, told_at, said_at,
    held, line
)
VALUES (
    %(fingerprint)s, %(rule)s, %(state)s::chatops.alert_state, %(severity)s, %(service)s, %(title)s, %(detail)s,
    %(since)s, %(opened_at)s, %(fires)s, %(fired_at)s, %(told_at)s, %(said_at)s, %(held)s, %(line)s
)
RETURNING id;

-- name: store_alert
-- Update the alert, its state and its message's key included. By primary key.
UPDATE chatops.alerts
SET
    state = %(state)s::chatops.alert_state,
    severity = %(severity)s,
    summary = %(title)s,
    detail = %(detail)s,
    since = %(since)s,
    fires = %(fires)s,
    fired_at = %(fired_at)s,
    told_at = %(told_at)s,
    said_at = %(said_at)s,
    fine_since = %(fine_since)s,
    resolved_at = %(resolved_at)s,
    held = %(held)s,
    line = %(line)s,
    message_key = %(message_key)s
WHERE id = %(id)s;

-- name: forget_alert
-- Delete an alert that cleared before it was announced. By primary key.
DELETE FROM chatops.alerts
WHERE id = %(id)s AND fires = 0;

-- name: note_alert_decision
-- Record why an alert was announced or not, and return the decision's number, which is part of the key of a line in the
-- message's thread.
INSERT INTO chatops.alert_decisions (at, fingerprint, alert_id, decision, reason)
VALUES (%(at)s, %(fingerprint)s, %(alert_id)s, %(decision)s, %(reason)s)
RETURNING id;

-- name: list_alert_decisions
-- List the decisions on this fingerprint, newest first. Served by alert_decisions_fingerprint_idx.
SELECT at, fingerprint, alert_id, decision, reason
FROM chatops.alert_decisions
WHERE fingerprint = %(fingerprint)s
ORDER BY id DESC
LIMIT %(limit)s;

-- name: note_evaluation
-- Record an evaluation; return until when the last pause of more than `gap` may have effects, null if there was no such
-- pause. That is never later than `aftermath` from now, even if the database's clock stepped back. By primary key.
INSERT INTO chatops.watch AS watch (looked_at) VALUES (%(now)s)
ON CONFLICT (only_row) DO UPDATE SET
    blind_until = CASE
        WHEN excluded.looked_at - watch.looked_at > %(gap)s::interval THEN excluded.looked_at + %(aftermath)s::interval
        WHEN watch.blind_until IS NOT NULL THEN least(watch.blind_until, excluded.looked_at + %(aftermath)s::interval)
    END,
    looked_at = excluded.looked_at
RETURNING blind_until;

-- name: list_working_runs
-- List the runs in progress with their services, oldest first. Served by runs_open_idx.
SELECT id, services
FROM chatops.runs
WHERE state = 'running'
ORDER BY id;

-- name: prune_alert_decisions
-- Delete old decisions. Served by alert_decisions_at_idx.
DELETE FROM chatops.alert_decisions
WHERE at < now() - %(older_than)s::interval;

-- name: prune_alerts
-- Delete alerts that were resolved long ago and belong to no incident. Served by alerts_resolved_at_idx.
DELETE FROM chatops.alerts AS alert
WHERE
    alert.state = 'resolved'
    AND alert.resolved_at < now() - %(older_than)s::interval
    AND NOT EXISTS (SELECT FROM chatops.incident_alerts AS joined WHERE joined.alert_id = alert.id);
