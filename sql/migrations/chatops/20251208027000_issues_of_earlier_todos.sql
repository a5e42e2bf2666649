-- Follow-ups that were written before GITHUB_TOKEN was given get their issues later.

GRANT UPDATE (issue_marker) ON chatops.incident_todos TO dragonfly_bot;
COMMENT ON COLUMN chatops.incident_todos.issue_marker IS 'Stands in the issue, by which it is found again; null: no issue is wanted yet.';
