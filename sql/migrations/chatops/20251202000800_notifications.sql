-- What is to reach somebody outside Slack: a pager's webhook or an e-mail. One row a thing to be told, once.
-- `target` is a name; the address or secret behind it stands in the bot's environment only.

CREATE TYPE chatops.means AS ENUM ('webhook', 'email');
CREATE TYPE chatops.notification_state AS ENUM ('waiting', 'sent', 'failed', 'cancelled');

CREATE TABLE chatops.notifications (
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 200),   -- the receiver tells repetitions by it
    means chatops.means NOT NULL,
    target text NOT NULL CHECK (length(target) BETWEEN 1 AND 100),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 300 AND subject !~ '[\r\n]'),
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    thread_key text REFERENCES chatops.outbox (key) ON DELETE SET NULL,  -- the message whose thread tells what became of it
    state chatops.notification_state NOT NULL DEFAULT 'waiting',
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK (state <> 'failed' OR last_error IS NOT NULL)
);
CREATE INDEX notifications_waiting_idx ON chatops.notifications (means, next_try_at) WHERE state = 'waiting';
CREATE INDEX notifications_thread_key_idx ON chatops.notifications (thread_key) WHERE thread_key IS NOT NULL;
CREATE INDEX notifications_created_at_idx ON chatops.notifications (created_at);  -- retention

GRANT SELECT, INSERT, UPDATE, DELETE ON chatops.notifications TO dragonfly_bot;
