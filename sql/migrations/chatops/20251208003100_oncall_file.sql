-- The last good on-call file, so that a bad one takes no one off call, and a change is told once.

CREATE TABLE chatops.oncall_file (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),  -- one row
    content bytea NOT NULL CHECK (length(content) <= 262144),
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
REVOKE ALL ON chatops.oncall_file FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (content, taken_at) ON chatops.oncall_file TO dragonfly_bot;
