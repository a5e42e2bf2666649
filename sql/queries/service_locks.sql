-- name: lock_service
-- Lock it, or say anew who locked it and why. By primary key.
INSERT INTO chatops.service_locks (service, owner, reason, run_id)
VALUES (%(service)s, %(owner)s, %(reason)s, %(run_id)s)
ON CONFLICT (service) DO UPDATE SET
    owner = excluded.owner,
    reason = excluded.reason,
    run_id = excluded.run_id,
    locked_at = clock_timestamp();

-- name: unlock_service
-- Lift the lock. By primary key.
DELETE FROM chatops.service_locks
WHERE service = %(service)s
RETURNING service;

-- name: list_locks
-- All locks; there are never more than services.
SELECT service, owner, reason, run_id, locked_at
FROM chatops.service_locks
ORDER BY service;
