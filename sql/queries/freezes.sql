-- affects: freeze, lock, deploy, redeploy, scale and golden-path

-- name: share_freezes
-- Let no freeze be stored until this transaction ends. Shared, so that runs that start at the same time do not wait for
-- each other.
SELECT pg_advisory_xact_lock_shared(hashtextextended('chatops.freezes', 0));

-- name: list_freezes
-- List the freezes that have not ended, also those that begin later. Served by freezes_open_idx.
SELECT id, kind, service, owner, reason, created_at, starts_at, ends_at, recurrence, announced_for, reminded_for
FROM chatops.freezes
WHERE ended_at IS NULL
ORDER BY id;

-- name: create_freeze
-- Create a freeze and return it; waits for the runs that are being started. `starts_at` null: now.
INSERT INTO chatops.freezes (kind, service, owner, reason, starts_at, ends_at, recurrence, announced_for)
VALUES (
    %(kind)s, %(service)s, %(owner)s, %(reason)s, coalesce(%(starts_at)s, clock_timestamp()), %(ends_at)s, %(recurrence)s,
    %(announced_for)s
)
RETURNING id, kind, service, owner, reason, created_at, starts_at, ends_at, recurrence, announced_for, reminded_for;

-- name: note_freeze
-- Record the windows that were announced last and that the owner was last reminded of. By primary key.
UPDATE chatops.freezes
SET announced_for = %(announced_for)s, reminded_for = %(reminded_for)s
WHERE id = %(id)s AND ended_at IS NULL;

-- name: end_freeze
-- End the freeze; no row if it had ended before, or does not exist. By primary key.
UPDATE chatops.freezes
SET ended_at = clock_timestamp(), outcome = %(outcome)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING id;

-- name: prune_freezes
-- Delete old freezes. No index serves it, because there are few.
DELETE FROM chatops.freezes
WHERE ended_at < clock_timestamp() - %(older_than)s::interval;
