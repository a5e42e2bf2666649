-- The deploy that is suspected when an alert opens an incident: it decides once which of its buttons comes first, so that none
-- moves while somebody is about to press it. An alert that fires again, or a second one, changes nothing about it.

ALTER TABLE chatops.incidents ADD COLUMN deployed_at timestamptz;

COMMENT ON COLUMN chatops.incidents.deployed_at IS
'When the deploy that is suspected of the incident was made, as known when its first alert opened it; NULL when none was.';

UPDATE chatops.incidents AS incident
SET deployed_at = (
    SELECT alert.deployed_at
    FROM chatops.incident_alerts AS alert
    WHERE alert.incident_id = incident.id
    ORDER BY alert.joined_at, alert.alert_id
    LIMIT 1
)
WHERE incident.state <> 'resolved';

GRANT UPDATE (deployed_at) ON chatops.incidents TO dragonfly_bot;
