-- affects: reviews of what ran without approval

-- name: ask_for_review
-- Request a review of a run that a person started without approval. By primary key.
INSERT INTO chatops.reviews (run_id, acted_by_user, acted_by_team, remind_at)
VALUES (%(run_id)s, %(user_id)s, %(team_id)s, clock_timestamp() + %(remind_after)s);

-- name: read_review
-- Return the review of the run, open or closed; no row if the run needs none. By primary key.
SELECT
    run_id, acted_by_user, acted_by_team, asked_at, reviewed_by_user, reviewed_by_team, note, reviewed_at
FROM chatops.reviews
WHERE run_id = %(run_id)s;

-- name: list_open_reviews
-- List the open reviews, oldest first. Served by reviews_open_idx.
SELECT
    run_id, acted_by_user, acted_by_team, asked_at, reviewed_by_user, reviewed_by_team, note, reviewed_at
FROM chatops.reviews
WHERE reviewed_at IS NULL
ORDER BY run_id;

-- name: close_review
-- Close the review; no row if it is closed already, or the person is the one who acted. By primary key.
UPDATE chatops.reviews
SET
    reviewed_by_user = %(user_id)s,
    reviewed_by_team = %(team_id)s,
    note = %(note)s,
    reviewed_at = clock_timestamp()
WHERE run_id = %(run_id)s AND reviewed_at IS NULL AND acted_by_user <> %(user_id)s
RETURNING run_id;

-- name: take_due_reviews
-- List the reviews that need a reminder now; each is due again after `again_after`. Served by reviews_open_idx.
UPDATE chatops.reviews
SET remind_at = clock_timestamp() + %(again_after)s, reminders = reminders + 1
WHERE reviewed_at IS NULL AND remind_at <= clock_timestamp()
RETURNING run_id, reminders;
