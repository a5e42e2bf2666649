-- An answer on the phone counts: a one-time link in an e-mail or a webhook page, and the events of a pager.

ALTER TABLE chatops.notifications
    ADD COLUMN link_token text CHECK (length(link_token) >= 32),  -- of its one-time link; null: it has none
    ADD COLUMN link_used_at timestamptz;
CREATE UNIQUE INDEX notifications_link_token_idx ON chatops.notifications (link_token) WHERE link_token IS NOT NULL;
-- From an alert of a pager to the incident that it is about.
CREATE INDEX notifications_alert_key_idx ON chatops.notifications (alert_key)
    WHERE alert_key IS NOT NULL AND event = 'triggered';

-- What a pager reported, once per event: a repeated event changes nothing, and neither does one that is older than another.
CREATE TABLE chatops.pager_events (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 200),
    incident_id bigint NOT NULL REFERENCES chatops.incidents (id),
    action text NOT NULL CHECK (action <> ''),
    occurred_at timestamptz NOT NULL,                        -- by the pager's clock
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    owner text,                                              -- who is assigned because of it; null: it assigned no one
    ignored text                                             -- why it changed nothing; null: it did
);
CREATE INDEX pager_events_incident_id_idx ON chatops.pager_events (incident_id, occurred_at);
CREATE INDEX pager_events_received_at_idx ON chatops.pager_events (received_at);  -- retention
REVOKE ALL ON chatops.pager_events FROM dragonfly_bot;
GRANT SELECT, INSERT, DELETE ON chatops.pager_events TO dragonfly_bot;
