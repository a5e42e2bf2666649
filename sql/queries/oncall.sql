-- name: add_override
-- An override of a rotation.
INSERT INTO chatops.oncall_overrides (rotation, user_id, begins_at, ends_at, by_user, by_team)
VALUES (%(rotation)s, %(user_id)s, %(begins_at)s, %(ends_at)s, %(by_user)s, %(by_team)s)
RETURNING id;

-- name: list_overrides
-- Those that hold now or later, oldest first: of two for the same time the newer one counts. Served by
-- oncall_overrides_ends_at_idx.
SELECT id, rotation, user_id, begins_at, ends_at, by_user, by_team, created_at, confirmed_at
FROM chatops.oncall_overrides
WHERE ends_at > now()
ORDER BY id;

-- name: end_overrides
-- The rotation is as the file says, from now on. Served by oncall_overrides_ends_at_idx.
UPDATE chatops.oncall_overrides
SET begins_at = least(begins_at, now()), ends_at = now()
WHERE ends_at > now() AND rotation = %(rotation)s
RETURNING id;

-- name: confirm_override
-- The substitute confirms it; no one else can. Served by oncall_overrides_pkey.
UPDATE chatops.oncall_overrides
SET confirmed_at = coalesce(confirmed_at, now())
WHERE id = %(override_id)s AND user_id = %(user_id)s AND ends_at > now()
RETURNING id, rotation, user_id, begins_at, ends_at, by_user, by_team, created_at, confirmed_at;
