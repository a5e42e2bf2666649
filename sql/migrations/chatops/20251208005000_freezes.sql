-- Freezes and locks of people: while one is in force, no deploy, redeploy, scale or golden path begins (docs/freezes.md). The lock
-- that a rollback leaves is in chatops.service_locks, and has no end.
--
-- A run that a freeze could stop holds chatops.freezes' advisory lock in the transaction that starts it; whoever stores a
-- freeze waits for those that are starting, and those that come later see the freeze.

CREATE TABLE chatops.freezes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('freeze', 'lock')),
    service text CHECK (service <> ''),
    owner text NOT NULL CHECK (owner <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    recurrence jsonb CHECK (jsonb_typeof(recurrence) = 'object'),
    announced_for timestamptz,
    reminded_for timestamptz,
    ended_at timestamptz,
    outcome text NOT NULL DEFAULT '',
    CHECK (ends_at > starts_at),
    CHECK ((ended_at IS NULL) = (outcome = ''))
);
COMMENT ON TABLE chatops.freezes IS 'Freezes and locks of people: what may not be deployed, from when until when, and why.';
COMMENT ON COLUMN chatops.freezes.service IS 'Full name; null: every service, also one that is added later.';
COMMENT ON COLUMN chatops.freezes.owner IS 'Slack user id.';
COMMENT ON COLUMN chatops.freezes.ends_at IS 'Null: until a person lifts it. Of one that comes again it is unused.';
COMMENT ON COLUMN chatops.freezes.recurrence IS 'The weekly windows in which it is in force, from starts_at on; null: all the time.';
COMMENT ON COLUMN chatops.freezes.announced_for IS 'The beginning of the window that the channel was told of last.';
COMMENT ON COLUMN chatops.freezes.reminded_for IS 'The end of which the owner was reminded last.';
COMMENT ON COLUMN chatops.freezes.outcome IS 'How it ended; empty while it stands.';
CREATE INDEX freezes_open_idx ON chatops.freezes (id) WHERE ended_at IS NULL;

CREATE FUNCTION chatops.fence_freezes() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('chatops.freezes', 0));
    RETURN NULL;
END
$$;
CREATE TRIGGER fence_freezes BEFORE INSERT ON chatops.freezes
    FOR EACH STATEMENT EXECUTE FUNCTION chatops.fence_freezes();

REVOKE ALL ON FUNCTION chatops.fence_freezes() FROM PUBLIC, anon, authenticated;
REVOKE ALL ON chatops.freezes FROM dragonfly_bot;
GRANT SELECT, INSERT, DELETE, UPDATE (announced_for, reminded_for, ended_at, outcome) ON chatops.freezes TO dragonfly_bot;
