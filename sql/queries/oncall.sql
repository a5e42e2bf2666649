-- affects: oncall, and who is paged

-- name: add_override
-- Store an override of a rotation and return its id.
INSERT INTO chatops.oncall_overrides (rotation, user_id, begins_at, ends_at, by_user, by_team)
VALUES (%(rotation)s, %(user_id)s, %(begins_at)s, %(ends_at)s, %(by_user)s, %(by_team)s)
RETURNING id;

-- name: list_overrides
-- List the overrides that hold now or later, oldest first: of two for the same time the newer one counts. Served by
-- oncall_overrides_ends_at_idx.
SELECT id, rotation, user_id, begins_at, ends_at, by_user, by_team, created_at, confirmed_at
FROM chatops.oncall_overrides
WHERE ends_at > now()
ORDER BY id;

-- name: list_overrides_since
-- List the overrides that end after `since`, in the order of list_overrides. Served by oncall_overrides_ends_at_idx.
SELECT id, rotation, user_id, begins_at, ends_at, by_user, by_team, created_at, confirmed_at
FROM chatops.oncall_overrides
WHERE ends_at > %(since)s
ORDER BY id;

-- name: lock_oncall
-- Let other changes of the schedule wait until this transaction ends, so that each notifies exactly the people whose
-- shifts it changes.
SELECT pg_advisory_xact_lock(hashtextextended('chatops.oncall', 0));

-- name: end_overrides
-- End the overrides of a rotation that hold now and return their ids; later ones stay. Served by
-- oncall_overrides_ends_at_idx.
UPDATE chatops.oncall_overrides
SET ends_at = %(now)s
WHERE ends_at > %(now)s AND begins_at <= %(now)s AND rotation = %(rotation)s
RETURNING id;

-- name: end_override
-- End one override, before it begins too; no row if it does not hold now or later. Served by oncall_overrides_pkey.
UPDATE chatops.oncall_overrides
SET begins_at = least(begins_at, %(now)s), ends_at = %(now)s
WHERE ends_at > %(now)s AND id = %(override_id)s
RETURNING id, rotation, user_id, begins_at, ends_at, by_user, by_team, created_at, confirmed_at;

-- name: confirm_override
-- Confirm the person's override, once or again; no row if it has ended or is another person's. Served by
-- oncall_overrides_pkey.
UPDATE chatops.oncall_overrides
SET confirmed_at = coalesce(confirmed_at, now())
WHERE id = %(override_id)s AND user_id = %(user_id)s AND ends_at > now()
RETURNING id, rotation, user_id, begins_at, ends_at, by_user, by_team, created_at, confirmed_at;
