-- What opened an incident, so that the same problem is recognized: an alert that fires again moves to the new incident.

ALTER TABLE chatops.incidents ADD COLUMN fingerprint text CHECK (fingerprint <> '');  -- of its first alert; null: opened by hand
UPDATE chatops.incidents AS incident
SET fingerprint = (
    SELECT alert.fingerprint
    FROM chatops.incident_alerts AS alert
    WHERE alert.incident_id = incident.id
    ORDER BY alert.joined_at, alert.alert_id
    LIMIT 1
);
CREATE INDEX incidents_fingerprint_idx ON chatops.incidents (fingerprint, opened_at) WHERE fingerprint IS NOT NULL;
GRANT UPDATE (fingerprint) ON chatops.incidents TO dragonfly_bot;
