-- affects: refresh notices of Railway's webhook, silence, drill

-- name: notify_refresh
-- Wake all replicas when this transaction commits, because Railway may have changed something. The notice has no
-- content: the facts are read from Railway.
SELECT pg_notify('chatops_hints', '');
