-- When a commit was deployed to the service of an alert before it fired: an incident offers the way back first then. A fact of
-- its own, so that no wording of the alert's line decides on it.

ALTER TABLE chatops.incident_alerts ADD COLUMN deployed_at timestamptz;

COMMENT ON COLUMN chatops.incident_alerts.deployed_at IS
'When a commit was deployed to the alert''s service last before it fired; NULL when none was in the two hours before.';

GRANT UPDATE (deployed_at) ON chatops.incident_alerts TO dragonfly_bot;
