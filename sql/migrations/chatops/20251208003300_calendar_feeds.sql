-- Calendars of who is on call, at secret addresses.

CREATE TABLE chatops.calendar_feeds (
    user_id text NOT NULL CHECK (user_id <> ''),             -- whose address it is
    rotation text NOT NULL,                                  -- '': their own shifts, in every rotation
    token text NOT NULL UNIQUE CHECK (length(token) >= 32),  -- who has it can read the calendar
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, rotation)
);
REVOKE ALL ON chatops.calendar_feeds FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (token, made_at) ON chatops.calendar_feeds TO dragonfly_bot;
