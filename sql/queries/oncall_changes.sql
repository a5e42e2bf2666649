-- affects: oncall override, take and swap, and their notices

-- name: add_oncall_reminder
-- A person whose shift a change moved is reminded a day and an hour before; no row where both are over.
INSERT INTO chatops.oncall_reminders (rotation, user_id, gains, begins_at, ends_at, due_at)
SELECT %(rotation)s, %(user_id)s, %(gains)s, %(begins_at)s::timestamptz, %(ends_at)s::timestamptz, due.at
FROM (
    SELECT CASE
        WHEN now() < %(begins_at)s::timestamptz - interval '1 day' THEN %(begins_at)s::timestamptz - interval '1 day'
        ELSE %(begins_at)s::timestamptz - interval '1 hour'
    END AS at
) AS due
WHERE due.at > now();

-- name: take_due_oncall_reminders
-- Those that are due, the earliest first; each stays for its next one, or goes. Served by oncall_reminders_due_at_idx.
WITH due AS (
    SELECT id FROM chatops.oncall_reminders WHERE due_at <= now() ORDER BY due_at LIMIT %(limit)s
), next AS (
    UPDATE chatops.oncall_reminders AS reminder
    SET due_at = reminder.begins_at - interval '1 hour'
    FROM due
    WHERE reminder.id = due.id AND reminder.begins_at - interval '1 hour' > now()
    RETURNING reminder.id
), over AS (
    DELETE FROM chatops.oncall_reminders AS reminder
    USING due
    WHERE reminder.id = due.id AND reminder.begins_at - interval '1 hour' <= now()
    RETURNING reminder.id
)
SELECT reminder.rotation, reminder.user_id, reminder.gains, reminder.begins_at, reminder.ends_at
FROM chatops.oncall_reminders AS reminder
JOIN due ON due.id = reminder.id
ORDER BY reminder.begins_at, reminder.id;

-- name: add_swap
-- Two people exchange a shift each, once the other one accepts.
INSERT INTO chatops.oncall_swaps (
    rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at
)
VALUES (
    %(rotation)s, %(user_id)s, %(team_id)s, %(other_user)s, %(begins_at)s, %(ends_at)s, %(other_begins_at)s,
    %(other_ends_at)s
)
RETURNING id, rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at, state;

-- name: read_swap
-- By its number. Served by oncall_swaps_pkey.
SELECT id, rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at, state
FROM chatops.oncall_swaps
WHERE id = %(swap_id)s;

-- name: settle_swap
-- It is accepted, declined or withdrawn, once. Served by oncall_swaps_pkey.
UPDATE chatops.oncall_swaps
SET state = %(state)s
WHERE id = %(swap_id)s AND state = 'offered'
RETURNING id, rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at, state;

-- name: read_oncall_file
-- The last good one; it is the table's only row.
SELECT content FROM chatops.oncall_file WHERE is_only;

-- name: store_oncall_file
-- In place of the former one.
INSERT INTO chatops.oncall_file (content) VALUES (%(content)s)
ON CONFLICT (is_only) DO UPDATE SET content = excluded.content, taken_at = clock_timestamp();

-- name: store_calendar_feed
-- The person's address of this calendar: the one that there is, or with `renew` a new one in its place.
INSERT INTO chatops.calendar_feeds AS feed (user_id, rotation, token)
VALUES (%(user_id)s, %(rotation)s, %(token)s)
ON CONFLICT (user_id, rotation) DO UPDATE
SET token = CASE WHEN %(renew)s THEN excluded.token ELSE feed.token END
RETURNING token;

-- name: read_calendar_feed
-- Whose calendar an address is of. Served by calendar_feeds_token_key.
SELECT user_id, rotation FROM chatops.calendar_feeds WHERE token = %(token)s;

-- name: list_oncall_calendars
-- The last good content of each, and the problem of which the channel knows. A handful of rows.
SELECT calendar, content, problem FROM chatops.oncall_calendars ORDER BY calendar;

-- name: store_oncall_calendar
-- In place of the former content.
INSERT INTO chatops.oncall_calendars (calendar, content) VALUES (%(calendar)s, %(content)s)
ON CONFLICT (calendar) DO UPDATE SET content = excluded.content, taken_at = clock_timestamp();

-- name: store_oncall_calendar_problem
-- What was announced in the channel; NULL once it can be read again.
INSERT INTO chatops.oncall_calendars (calendar, problem) VALUES (%(calendar)s, %(problem)s)
ON CONFLICT (calendar) DO UPDATE SET problem = excluded.problem;

-- name: list_oncall_groups
-- User groups that follow a rotation, and what came of the last call to Slack. A handful of rows.
SELECT group_id, user_id, problem, tried_at FROM chatops.oncall_groups ORDER BY group_id;

-- name: store_oncall_group
-- What came of a call to Slack.
INSERT INTO chatops.oncall_groups (group_id, user_id, problem) VALUES (%(group_id)s, %(user_id)s, %(problem)s)
ON CONFLICT (group_id) DO UPDATE
SET user_id = excluded.user_id, problem = excluded.problem, tried_at = clock_timestamp();
