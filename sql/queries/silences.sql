-- affects: the alerts, silence

-- name: list_silences
-- List the silences that have not ended, the next to end first. Served by silences_open_idx.
SELECT id, what, owner, reason, created_at, ends_at, in_advance, reminded_at, ended_at, outcome
FROM chatops.silences
WHERE ended_at IS NULL
ORDER BY ends_at, id;

-- name: create_silence
-- Create a silence and return it.
INSERT INTO chatops.silences (what, owner, reason, ends_at, in_advance)
VALUES (%(what)s, %(owner)s, %(reason)s, clock_timestamp() + %(lasts)s::interval, %(in_advance)s)
RETURNING id, what, owner, reason, created_at, ends_at, in_advance, reminded_at, ended_at, outcome;

-- name: remind_of_silence
-- Record that the owner was notified of the silence's approaching end. By primary key.
UPDATE chatops.silences
SET reminded_at = %(at)s
WHERE id = %(id)s AND ended_at IS NULL;

-- name: end_silence
-- End the silence and return it; no row if it had ended before, or does not exist. By primary key.
UPDATE chatops.silences
SET ended_at = %(at)s, outcome = %(outcome)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING id, what, owner, reason, created_at, ends_at, in_advance, reminded_at, ended_at, outcome;

-- name: prune_silences
-- Delete old silences. No index serves it, because there are few.
DELETE FROM chatops.silences
WHERE ended_at < clock_timestamp() - %(older_than)s::interval;

-- name: create_planned_silence
-- Create a planned silence and return it. `begins_at`, `ends_at`: its next window.
INSERT INTO chatops.planned_silences (what, owner, reason, begins_at, ends_at, recurrence)
VALUES (%(what)s, %(owner)s, %(reason)s, %(begins_at)s, %(ends_at)s, %(recurrence)s)
RETURNING id, what, owner, reason, begins_at, ends_at, recurrence, reminded_for;

-- name: list_planned_silences
-- List the planned silences that have not ended, the next window first. Served by planned_silences_begins_at_idx.
SELECT id, what, owner, reason, begins_at, ends_at, recurrence, reminded_for
FROM chatops.planned_silences
WHERE ended_at IS NULL
ORDER BY begins_at, id;

-- name: move_planned_silence
-- Set the planned silence's next window. By primary key.
UPDATE chatops.planned_silences
SET begins_at = %(begins_at)s, ends_at = %(ends_at)s
WHERE id = %(id)s AND ended_at IS NULL;

-- name: remind_of_planned_silence
-- Record that the owner was reminded of the next window. By primary key.
UPDATE chatops.planned_silences
SET reminded_for = begins_at
WHERE id = %(id)s AND ended_at IS NULL;

-- name: keep_planned_silence
-- Record that the window has begun, but this version can't read its recurrence: one that can sets the next window. By
-- primary key.
UPDATE chatops.planned_silences
SET reminded_for = ends_at
WHERE id = %(id)s AND ended_at IS NULL;

-- name: end_planned_silence
-- End or cancel the planned silence and return it; no row if it had ended before, or does not exist. By primary key.
UPDATE chatops.planned_silences
SET ended_at = clock_timestamp()
WHERE id = %(id)s AND ended_at IS NULL
RETURNING id, what, owner, reason, begins_at, ends_at, recurrence, reminded_for;

-- name: prune_planned_silences
-- Delete old planned silences. No index serves it, because there are few.
DELETE FROM chatops.planned_silences
WHERE ended_at < clock_timestamp() - %(older_than)s::interval;
