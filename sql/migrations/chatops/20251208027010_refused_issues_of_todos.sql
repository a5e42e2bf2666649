-- While GitHub refuses the token or the repository the follow-ups keep their wish: they wait, also over a start of the bot.

ALTER TABLE chatops.incident_todos ADD COLUMN issue_refused_at timestamptz;
COMMENT ON COLUMN chatops.incident_todos.issue_refused_at IS 'Since when GitHub refuses the token or the repository, while the issue waits for that to end; null: it does not.';
GRANT UPDATE (issue_refused_at) ON chatops.incident_todos TO dragonfly_bot;
