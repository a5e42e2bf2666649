-- A schedule that people change: swaps, and reminders for those whom a change moved.
--
--   chatops.oncall_reminders  who is on call at another time than before, until they were reminded of it
--   chatops.oncall_swaps      two people who exchange one shift each, once the other one accepts

CREATE TABLE chatops.oncall_reminders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rotation text NOT NULL CHECK (rotation <> ''),
    user_id text NOT NULL CHECK (user_id <> ''),
    gains boolean NOT NULL,                                  -- false: another person takes the shift
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,                             -- the next reminder; with the last one the row goes
    CHECK (ends_at > begins_at)
);
CREATE INDEX oncall_reminders_due_at_idx ON chatops.oncall_reminders (due_at);

CREATE TABLE chatops.oncall_swaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rotation text NOT NULL CHECK (rotation <> ''),
    user_id text NOT NULL CHECK (user_id <> ''),             -- who asked
    team_id text NOT NULL CHECK (team_id <> ''),
    other_user text NOT NULL CHECK (other_user <> '' AND other_user <> user_id),
    begins_at timestamptz NOT NULL,                          -- of the shift that the other one would take
    ends_at timestamptz NOT NULL,
    other_begins_at timestamptz NOT NULL,                    -- of the shift that would be taken for it
    other_ends_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'offered' CHECK (state IN ('offered', 'accepted', 'declined', 'withdrawn')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (ends_at > begins_at AND other_ends_at > other_begins_at)
);

REVOKE ALL ON chatops.oncall_reminders, chatops.oncall_swaps FROM dragonfly_bot;
GRANT SELECT, INSERT, DELETE, UPDATE (due_at) ON chatops.oncall_reminders TO dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (state) ON chatops.oncall_swaps TO dragonfly_bot;
