-- Silences of planned work, once or again and again. When its time comes, the leader makes an ordinary silence of it.

CREATE TABLE chatops.planned_silences (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL CHECK (what <> ''),                   -- a fingerprint, its beginning, or a service's short name
    owner text NOT NULL CHECK (owner <> ''),                 -- a Slack user id
    reason text NOT NULL CHECK (reason <> ''),
    begins_at timestamptz NOT NULL,                          -- of its next window
    ends_at timestamptz NOT NULL,
    recurrence jsonb CHECK (jsonb_typeof(recurrence) = 'object'),  -- null: it does not come again
    reminded_for timestamptz,                                -- the beginning that its owner was reminded of last
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,                                    -- it is over, or was cancelled
    CHECK (ends_at > begins_at)
);
CREATE INDEX planned_silences_begins_at_idx ON chatops.planned_silences (begins_at) WHERE ended_at IS NULL;
REVOKE ALL ON chatops.planned_silences FROM dragonfly_bot;
GRANT SELECT, INSERT, DELETE, UPDATE (begins_at, ends_at, reminded_for, ended_at) ON chatops.planned_silences
TO dragonfly_bot;
