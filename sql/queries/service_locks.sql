-- affects: unlock, deploy and rollback

-- name: lock_service
-- Lock the service; an existing lock gets the new owner, reason and time. By primary key.
INSERT INTO chatops.service_locks (service, owner, reason, run_id)
VALUES (%(service)s, %(owner)s, %(reason)s, %(run_id)s)
ON CONFLICT (service) DO UPDATE SET
    owner = excluded.owner,
    reason = excluded.reason,
    run_id = excluded.run_id,
    locked_at = clock_timestamp(),
    remind_at = excluded.remind_at,
    reminders = 0;

-- name: unlock_service
-- Remove the lock; no row if there was none. By primary key.
DELETE FROM chatops.service_locks
WHERE service = %(service)s
RETURNING service;

-- name: list_locks
-- List all locks; there are never more than services.
SELECT service, owner, reason, run_id, locked_at
FROM chatops.service_locks
ORDER BY service;

-- name: take_due_locks
-- List the locks that need a reminder now; each is due again after `again_after`. There are never more than services.
UPDATE chatops.service_locks
SET remind_at = clock_timestamp() + %(again_after)s, reminders = reminders + 1
WHERE remind_at <= clock_timestamp()
RETURNING service, owner, reason, run_id, locked_at, reminders;
