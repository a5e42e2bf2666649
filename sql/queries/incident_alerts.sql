-- affects: alerts in their incidents

-- name: join_alert
-- Make an alert part of this incident, as firing, and of no other any more; it began when the alert says. No row if
-- there is no such alert. By primary keys.
INSERT INTO chatops.incident_alerts (alert_id, incident_id, fingerprint, line, since, message_key)
SELECT alert.id, %(incident_id)s, alert.fingerprint, %(line)s, alert.since, %(message_key)s
FROM chatops.alerts AS alert
WHERE alert.id = %(alert_id)s
ON CONFLICT (alert_id) DO UPDATE SET
    incident_id = excluded.incident_id,
    line = excluded.line,
    message_key = excluded.message_key,
    joined_at = clock_timestamp(),
    cleared_at = NULL
RETURNING alert_id;

-- name: read_joined_alert
-- Return the alert as part of its incident; no row if it is part of none. By primary key.
SELECT alert_id, incident_id, fingerprint, line, since, joined_at, cleared_at, message_key
FROM chatops.incident_alerts
WHERE alert_id = %(alert_id)s;

-- name: list_joined_alerts
-- List the alerts of one incident, in the order in which they joined. Served by incident_alerts_incident_id_idx.
SELECT alert_id, incident_id, fingerprint, line, since, joined_at, cleared_at, message_key
FROM chatops.incident_alerts
WHERE incident_id = %(incident_id)s
ORDER BY joined_at, alert_id;

-- name: list_alerts_of_open_incidents
-- List the alerts of all unresolved incidents, cleared alerts too. Served by incidents_unresolved_idx.
SELECT
    alert.alert_id, alert.incident_id, alert.fingerprint, alert.line, alert.since, alert.joined_at, alert.cleared_at,
    alert.message_key
FROM chatops.incidents AS incident
INNER JOIN chatops.incident_alerts AS alert ON alert.incident_id = incident.id
WHERE incident.state <> 'resolved'
ORDER BY alert.joined_at, alert.alert_id;

-- name: change_alert_line
-- Store the alert's new line and return its incident's id; no row if it is part of none, or had this line already. By
-- primary key.
UPDATE chatops.incident_alerts
SET line = %(line)s
WHERE alert_id = %(alert_id)s AND line <> %(line)s
RETURNING incident_id;

-- name: clear_alert
-- Mark the alert as over and return its incident's id; no row if it is part of none, or was over already. By primary
-- key.
UPDATE chatops.incident_alerts
SET cleared_at = %(at)s, line = %(line)s
WHERE alert_id = %(alert_id)s AND cleared_at IS NULL
RETURNING incident_id;
