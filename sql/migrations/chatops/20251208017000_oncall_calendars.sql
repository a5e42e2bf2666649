-- The last good content of each calendar that is the source of a rotation, so that one that can't be read takes no one off
-- call, and a change is told once.

CREATE TABLE chatops.oncall_calendars (
    calendar text PRIMARY KEY CHECK (calendar <> ''),             -- its name in the on-call file; its address is in no table
    content bytea CHECK (length(content) <= 1048576),             -- NULL: it was never read
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    problem text CHECK (problem <> '' AND length(problem) <= 300) -- what the channel was told of; NULL: it can be read
);
REVOKE ALL ON chatops.oncall_calendars FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (content, taken_at, problem) ON chatops.oncall_calendars TO dragonfly_bot;
