-- Which level of its chain an incident calls next: it goes on where it stood when whoever had it fell silent, and begins
-- anew when its alert fires again.

ALTER TABLE chatops.incidents ADD COLUMN next_level smallint NOT NULL DEFAULT 0 CHECK (next_level >= 0);
GRANT UPDATE (next_level) ON chatops.incidents TO dragonfly_bot;

-- An alert that fires again after its incident was resolved belongs to the new one.
GRANT UPDATE (incident_id, joined_at) ON chatops.incident_alerts TO dragonfly_bot;

-- From a thread to its incident: of the root messages, and of those that call somebody directly.
CREATE INDEX outbox_incident_ts_idx ON chatops.outbox (ts)
    WHERE ts IS NOT NULL AND thread_key IS NULL AND starts_with(key, 'incident:');

-- The message that tells of an alert: alerts of one message have one cause.
ALTER TABLE chatops.incident_alerts ADD COLUMN message_key text NOT NULL DEFAULT '';
GRANT UPDATE (message_key) ON chatops.incident_alerts TO dragonfly_bot;
