-- The bot's own tables: who leads, what was delivered, what is to be said, and which alerts are open.
-- Times are the database's clock: replicas on several machines compare nothing else.

CREATE SCHEMA IF NOT EXISTS chatops;

-- One row a thing that only one replica may do at a time ("leader"). `epoch` grows with each change of owner, so that
-- what a former owner still has in flight can be told apart.
CREATE TABLE chatops.leases (
    name text PRIMARY KEY,
    owner text NOT NULL,
    epoch bigint NOT NULL CHECK (epoch > 0),
    until timestamptz NOT NULL
);

-- One row a payload from Slack that some replica took. `finished_at` is null while it is worked on, and for ever when
-- the replica died; the claim runs out, and a redelivery may then do the work.
CREATE TABLE chatops.deliveries (
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 500),
    owner text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX deliveries_claimed_at_idx ON chatops.deliveries (claimed_at);  -- retention

-- One row a message, as it is to be. The leader makes Slack look like it: it posts once, then edits in place.
CREATE TABLE chatops.outbox (
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 200),
    channel text NOT NULL,                                   -- name or id, as configured
    thread_key text REFERENCES chatops.outbox (key),         -- the message whose thread this one belongs to
    priority smallint NOT NULL DEFAULT 0,                    -- higher goes first: pages before the rest
    text text NOT NULL CHECK (text <> ''),
    blocks jsonb NOT NULL CHECK (jsonb_typeof(blocks) = 'array'),
    content_version integer NOT NULL DEFAULT 1,              -- grows with each change of text or blocks
    sent_version integer NOT NULL DEFAULT 0,                 -- the version that Slack shows; 0: never sent
    channel_id text,                                         -- where Slack put it
    ts text,                                                 -- Slack's id of the message
    posting_since timestamptz,                               -- a post is or was under way: look before posting again
    attempts integer NOT NULL DEFAULT 0,                     -- failures in a row
    last_error text,
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (sent_version BETWEEN 0 AND content_version),
    CHECK (sent_version = 0 OR (ts IS NOT NULL AND channel_id IS NOT NULL))
);
CREATE INDEX outbox_unsent_idx ON chatops.outbox (priority DESC, created_at) WHERE sent_version < content_version;
CREATE INDEX outbox_thread_key_idx ON chatops.outbox (thread_key) WHERE thread_key IS NOT NULL;
CREATE INDEX outbox_updated_at_idx ON chatops.outbox (updated_at);  -- retention

-- One row an episode of trouble. pending: seen, but it may pass; firing: people were told; resolved: it is over.
CREATE TYPE chatops.alert_state AS ENUM ('pending', 'firing', 'resolved');
CREATE TABLE chatops.alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL,                               -- what is wrong: "heartbeats.ingest"
    state chatops.alert_state NOT NULL,
    since timestamptz NOT NULL,                              -- when the trouble was first seen
    fired_at timestamptz,
    resolved_at timestamptz,
    summary text NOT NULL,                                   -- what the message says now, to see whether it changed
    message_key text REFERENCES chatops.outbox (key) ON DELETE SET NULL,
    CHECK (state <> 'firing' OR fired_at IS NOT NULL),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX alerts_open_fingerprint_idx ON chatops.alerts (fingerprint) WHERE state <> 'resolved';
CREATE INDEX alerts_message_key_idx ON chatops.alerts (message_key) WHERE message_key IS NOT NULL;

REVOKE ALL ON SCHEMA chatops FROM PUBLIC;
GRANT USAGE ON SCHEMA chatops TO dragonfly_bot;
GRANT SELECT, INSERT, UPDATE, DELETE ON chatops.leases, chatops.deliveries, chatops.outbox, chatops.alerts
TO dragonfly_bot;
