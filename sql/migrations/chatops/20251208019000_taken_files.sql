-- The last good policy and alert files, so that a bad one takes no one's rights and no limit away, and a change is told once.

CREATE TABLE chatops.taken_files (
    name text PRIMARY KEY CHECK (name IN ('policy', 'alerts')),
    content bytea NOT NULL CHECK (length(content) <= 262144),
    people jsonb NOT NULL DEFAULT '{}',
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN chatops.taken_files.people IS 'The lists of Slack ids that the policy calls operators and approvers.';
REVOKE ALL ON chatops.taken_files FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (content, people, taken_at) ON chatops.taken_files TO dragonfly_bot;
