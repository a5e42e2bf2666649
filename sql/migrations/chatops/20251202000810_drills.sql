-- Rehearsals: a made-up worker that falls silent, beside the real ones in ops.worker_heartbeats and never among them.

CREATE TABLE chatops.drills (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_by_user text NOT NULL CHECK (asked_by_user <> ''),
    asked_by_team text NOT NULL CHECK (asked_by_team <> ''),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at timestamptz NOT NULL,                            -- the last beat of the made-up worker
    stale_at timestamptz NOT NULL,                           -- until when it counts
    ended_at timestamptz,
    report jsonb,                                            -- what came of it: times, and who was not reached
    CHECK (stale_at > beat_at),
    CHECK ((ended_at IS NULL) = (report IS NULL))
);
CREATE UNIQUE INDEX drills_open_idx ON chatops.drills ((true)) WHERE ended_at IS NULL;  -- one at a time
CREATE INDEX drills_ended_at_idx ON chatops.drills (ended_at) WHERE ended_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON chatops.drills TO dragonfly_bot;
