-- What was done without being approved is looked at afterwards, by somebody else; and a lock is not forgotten.
--
--   chatops.reviews   one row a run that nobody approved: asked for when it is filed, closed by a person's note

CREATE TABLE chatops.reviews (
    run_id bigint PRIMARY KEY REFERENCES chatops.runs (id),
    acted_by_user text NOT NULL CHECK (acted_by_user <> ''),  -- whose doing is reviewed
    acted_by_team text NOT NULL CHECK (acted_by_team <> ''),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    remind_at timestamptz NOT NULL,                           -- and again as long after each reminder
    reminders smallint NOT NULL DEFAULT 0,
    reviewed_by_user text,
    reviewed_by_team text,
    note text CHECK (note <> ''),
    reviewed_at timestamptz,
    CHECK (num_nulls(reviewed_by_user, reviewed_by_team, note, reviewed_at) IN (0, 4)),
    CHECK (reviewed_by_user <> acted_by_user)
);
CREATE INDEX reviews_open_idx ON chatops.reviews (remind_at) WHERE reviewed_at IS NULL;

-- A review that is closed stays as it was closed.
CREATE FUNCTION chatops.keep_review() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM chatops.refuse('this review is closed');
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_review BEFORE UPDATE ON chatops.reviews
    FOR EACH ROW WHEN (OLD.reviewed_at IS NOT NULL) EXECUTE FUNCTION chatops.keep_review();

ALTER TABLE chatops.service_locks
    ADD COLUMN remind_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 day',
    ADD COLUMN reminders smallint NOT NULL DEFAULT 0;

REVOKE ALL ON chatops.reviews FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (remind_at, reminders, reviewed_by_user, reviewed_by_team, note, reviewed_at)
    ON chatops.reviews TO dragonfly_bot;
REVOKE EXECUTE ON FUNCTION chatops.keep_review() FROM PUBLIC;
