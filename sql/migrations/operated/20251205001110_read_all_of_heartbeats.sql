-- The bot may read all of a heartbeat again: a worker's row holds no personal data, and the runbook selects it whole.

GRANT SELECT (sessions_seen) ON ops.worker_heartbeats TO dragonfly_bot;
