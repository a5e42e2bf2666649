-- affects: freeze, lock, deploy, redeploy, scale and golden-path

-- name: share_freezes
-- Until the end of the transaction no freeze is stored. With others that start runs, not alone.
SELECT pg_advisory_xact_lock_shared(hashtextextended('chatops.freezes', 0));

-- name: list_freezes
-- Those that have not ended, also those that begin later. Served by freezes_open_idx.
SELECT id, kind, service, owner, reason, created_at, starts_at, ends_at, recurrence, announced_for, reminded_for
FROM chatops.freezes
WHERE ended_at IS NULL
ORDER BY id;

-- name: create_freeze
-- A new one; waits for the runs that are starting. `starts_at` null: now.
INSERT INTO chatops.freezes (kind, service, owner, reason, starts_at, ends_at, recurrence, announced_for)
VALUES (
    %(kind)s, %(service)s, %(owner)s, %(reason)s, coalesce(%(starts_at)s, clock_timestamp()), %(ends_at)s, %(recurrence)s,
    %(announced_for)s
)
RETURNING id, kind, service, owner, reason, created_at, starts_at, ends_at, recurrence, announced_for, reminded_for;

-- name: note_freeze
-- Which of its windows was announced. By primary key.
UPDATE chatops.freezes
SET announced_for = %(announced_for)s, reminded_for = %(reminded_for)s
WHERE id = %(id)s AND ended_at IS NULL;

-- name: end_freeze
-- It is over, once. By primary key.
UPDATE chatops.freezes
SET ended_at = clock_timestamp(), outcome = %(outcome)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING id;

-- name: prune_freezes
-- There are few: served by nothing.
DELETE FROM chatops.freezes
WHERE ended_at < clock_timestamp() - %(older_than)s::interval;
