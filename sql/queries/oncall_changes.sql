-- affects: oncall override, take and swap, and their notices

-- name: add_oncall_reminder
-- Store a reminder of a changed shift, due 1 day and 1 hour before; no row if both times are over.
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
-- Take at most `limit` reminders that are due, those due longest; each is then due 1 hour before the shift, or deleted
-- if that time is over. Served by oncall_reminders_due_at_idx.
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
-- Store the offer of one person to exchange a shift with another.
INSERT INTO chatops.oncall_swaps (
    rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at
)
VALUES (
    %(rotation)s, %(user_id)s, %(team_id)s, %(other_user)s, %(begins_at)s, %(ends_at)s, %(other_begins_at)s,
    %(other_ends_at)s
)
RETURNING id, rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at, state;

-- name: read_swap
-- Return the swap; no row if there is none with this number. Served by oncall_swaps_pkey.
SELECT id, rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at, state
FROM chatops.oncall_swaps
WHERE id = %(swap_id)s;

-- name: settle_swap
-- Accept, decline or withdraw the swap; no row if it was settled before. Served by oncall_swaps_pkey.
UPDATE chatops.oncall_swaps
SET state = %(state)s
WHERE id = %(swap_id)s AND state = 'offered'
RETURNING id, rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at, state;

-- name: read_oncall_file
-- Return the last valid on-call file; no row if none was stored yet. The table has at most one row.
SELECT content FROM chatops.oncall_file WHERE is_only;

-- name: store_oncall_file
-- Store the on-call file in place of the former one.
INSERT INTO chatops.oncall_file (content) VALUES (%(content)s)
ON CONFLICT (is_only) DO UPDATE SET content = excluded.content, taken_at = clock_timestamp();

-- name: store_calendar_feed
-- Return the token of the person's calendar feed: the stored one, or a new one if there was none or with `renew`.
INSERT INTO chatops.calendar_feeds AS feed (user_id, rotation, token)
VALUES (%(user_id)s, %(rotation)s, %(token)s)
ON CONFLICT (user_id, rotation) DO UPDATE
SET token = CASE WHEN %(renew)s THEN excluded.token ELSE feed.token END
RETURNING token;

-- name: read_calendar_feed
-- Return the person and the rotation of the token; no row for an unknown token. Served by calendar_feeds_token_key.
SELECT user_id, rotation FROM chatops.calendar_feeds WHERE token = %(token)s;

-- name: list_oncall_calendars
-- List the calendars with their last valid content and the problem that was announced in the channel. A handful of
-- rows.
SELECT calendar, content, problem FROM chatops.oncall_calendars ORDER BY calendar;

-- name: store_oncall_calendar
-- Store the content of a calendar in place of the former one.
INSERT INTO chatops.oncall_calendars (calendar, content) VALUES (%(calendar)s, %(content)s)
ON CONFLICT (calendar) DO UPDATE SET content = excluded.content, taken_at = clock_timestamp();

-- name: store_oncall_calendar_problem
-- Store the announced problem of a calendar; null: it can be read again.
INSERT INTO chatops.oncall_calendars (calendar, problem) VALUES (%(calendar)s, %(problem)s)
ON CONFLICT (calendar) DO UPDATE SET problem = excluded.problem;

-- name: list_oncall_groups
-- List the user groups that follow a rotation, with the result of the last call to Slack. A handful of rows.
SELECT group_id, user_id, problem, tried_at FROM chatops.oncall_groups ORDER BY group_id;

-- name: store_oncall_group
-- Store the result of the last call to Slack that set the group's member.
INSERT INTO chatops.oncall_groups (group_id, user_id, problem) VALUES (%(group_id)s, %(user_id)s, %(problem)s)
ON CONFLICT (group_id) DO UPDATE
SET user_id = excluded.user_id, problem = excluded.problem, tried_at = clock_timestamp();
