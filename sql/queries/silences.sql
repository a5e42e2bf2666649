-- name: list_silences
-- Those that have not ended, the next to end first. Served by silences_open_idx.
SELECT id, what, owner, reason, created_at, ends_at, in_advance, reminded_at, ended_at, outcome
FROM chatops.silences
WHERE ended_at IS NULL
ORDER BY ends_at, id;

-- name: create_silence
-- A new silence.
INSERT INTO chatops.silences (what, owner, reason, ends_at, in_advance)
VALUES (%(what)s, %(owner)s, %(reason)s, clock_timestamp() + %(lasts)s::interval, %(in_advance)s)
RETURNING id, what, owner, reason, created_at, ends_at, in_advance, reminded_at, ended_at, outcome;

-- name: remind_of_silence
-- Its owner was told that it ends soon. By primary key.
UPDATE chatops.silences
SET reminded_at = %(at)s
WHERE id = %(id)s AND ended_at IS NULL;

-- name: end_silence
-- It is over, once. By primary key.
UPDATE chatops.silences
SET ended_at = %(at)s, outcome = %(outcome)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING id, what, owner, reason, created_at, ends_at, in_advance, reminded_at, ended_at, outcome;

-- name: prune_silences
-- There are few: served by nothing.
DELETE FROM chatops.silences
WHERE ended_at < clock_timestamp() - %(older_than)s::interval;
