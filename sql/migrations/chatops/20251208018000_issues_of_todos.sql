-- The GitHub issue of a follow-up. The row is the intent: an issue is asked for only after it says so.

ALTER TABLE chatops.incident_todos
    ADD COLUMN issue_marker text CHECK (issue_marker <> ''),
    ADD COLUMN issue_sent_at timestamptz,
    ADD COLUMN issue_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN issue_due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN issue_url text CHECK (issue_url <> ''),
    ADD COLUMN issue_failed text CHECK (issue_failed <> '');
COMMENT ON COLUMN chatops.incident_todos.issue_marker IS 'Stands in the issue, by which it is found again; null: no issue is wanted.';
COMMENT ON COLUMN chatops.incident_todos.issue_sent_at IS 'From when on the issue may exist; null: it was never asked for, or refused.';
COMMENT ON COLUMN chatops.incident_todos.issue_due_at IS 'When it is tried next.';
COMMENT ON COLUMN chatops.incident_todos.issue_failed IS 'Why there is none, and none will be.';
CREATE UNIQUE INDEX incident_todos_issue_marker_key ON chatops.incident_todos (issue_marker);
CREATE INDEX incident_todos_issue_due_idx ON chatops.incident_todos (issue_due_at)
    WHERE issue_marker IS NOT NULL AND issue_url IS NULL AND issue_failed IS NULL;
GRANT UPDATE (issue_sent_at, issue_attempts, issue_due_at, issue_url, issue_failed)
    ON chatops.incident_todos TO dragonfly_bot;

-- When commits were made, as GitHub says: for the lead time of deployments. Null: GitHub knows no such commit.
CREATE TABLE chatops.commits (
    sha text PRIMARY KEY CHECK (sha ~ '^[0-9a-f]{40}$'),
    committed_at timestamptz,
    read_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
REVOKE ALL ON chatops.commits FROM dragonfly_bot;
GRANT SELECT, INSERT ON chatops.commits TO dragonfly_bot;
