-- affects: refresh notices of Railway's webhook, silence, drill

-- name: notify_refresh
-- Tells all replicas that Railway may have done something. It holds nothing: what is true is read from Railway.
SELECT pg_notify('chatops_hints', '');
