-- Alerts with everything that decides about them, silences, and why people were told or not (DESIGN §6).
--
--   chatops.alerts           one row a kind of trouble, from its first sight on; it is continued when it soon comes back
--   chatops.alert_decisions  why people were told, or were not
--   chatops.silences         who asked not to be told of what, until when
--   chatops.watch            when the leader looked last: what happened before, nobody watched

ALTER TABLE chatops.alerts
    ADD COLUMN rule text NOT NULL DEFAULT 'heartbeats',      -- its name in the file of the alerts
    ADD COLUMN severity text NOT NULL DEFAULT 'page' CHECK (severity IN ('page', 'notify')),
    ADD COLUMN service text,                                 -- full name; null: it is about no service alone
    ADD COLUMN detail text NOT NULL DEFAULT '',
    ADD COLUMN opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN fires integer NOT NULL DEFAULT 0 CHECK (fires >= 0),  -- how often people were told that it is there
    ADD COLUMN told_at timestamptz,                          -- when people were told anything last
    ADD COLUMN said_at timestamptz,                          -- when its message's words were last changed
    ADD COLUMN fine_since timestamptz,                       -- it fires and looks fine, but it came back before
    ADD COLUMN held text NOT NULL DEFAULT '',                -- why nobody is told; empty: nothing holds it
    ADD COLUMN line text NOT NULL DEFAULT '';                -- the page line, plain text that nobody escaped yet
-- An alert that comes back keeps the time at which it last seemed over.
ALTER TABLE chatops.alerts DROP CONSTRAINT alerts_check1;
ALTER TABLE chatops.alerts ADD CONSTRAINT alerts_resolved_check CHECK (state <> 'resolved' OR resolved_at IS NOT NULL);
CREATE INDEX alerts_resolved_at_idx ON chatops.alerts (resolved_at) WHERE state = 'resolved';

CREATE TABLE chatops.alert_decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    fingerprint text NOT NULL CHECK (fingerprint <> ''),
    alert_id bigint REFERENCES chatops.alerts (id) ON DELETE SET NULL,
    decision text NOT NULL CHECK (decision <> ''),           -- "told", "not told", "resolved" …
    reason text NOT NULL
);
CREATE INDEX alert_decisions_fingerprint_idx ON chatops.alert_decisions (fingerprint, id DESC);
CREATE INDEX alert_decisions_alert_id_idx ON chatops.alert_decisions (alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX alert_decisions_at_idx ON chatops.alert_decisions (at);  -- retention

CREATE TABLE chatops.silences (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL CHECK (what <> ''),                   -- a fingerprint, its beginning, or a service's short name
    owner text NOT NULL CHECK (owner <> ''),                 -- a Slack user id
    reason text NOT NULL CHECK (reason <> ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamptz NOT NULL,
    in_advance boolean NOT NULL,                             -- nothing of the kind was open: it lasts until its end
    reminded_at timestamptz,
    ended_at timestamptz,
    outcome text NOT NULL DEFAULT '',                        -- how it ended; empty while it lasts
    CHECK (ends_at > created_at),
    CHECK ((ended_at IS NULL) = (outcome = ''))
);
CREATE INDEX silences_open_idx ON chatops.silences (ends_at) WHERE ended_at IS NULL;

CREATE TABLE chatops.watch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    looked_at timestamptz NOT NULL,
    blind_until timestamptz                                  -- the effects of nobody looking may last until then
);

GRANT SELECT, INSERT, UPDATE, DELETE ON chatops.alert_decisions, chatops.silences, chatops.watch TO dragonfly_bot;
