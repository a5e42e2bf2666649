-- affects: pagers, mail and direct messages

-- name: store_notification
-- Store one notification; nothing changes if the key exists. A further page about the same subject belongs to the alert
-- that the target's pager has open. If the subject's message is not in Slack yet, the page waits for `patience`, so
-- that it has the message's address. Served by notifications_thread_key_idx, notifications_follows_idx and primary
-- keys.
INSERT INTO chatops.notifications (
    key, means, target, subject, text, thread_key, details, link_token, alert_key, next_try_at
)
SELECT
    %(key)s, %(means)s, %(target)s, %(subject)s, %(text)s, %(thread_key)s, %(details)s::jsonb,
    CASE WHEN %(with_link)s THEN replace(gen_random_uuid()::text, '-', '') END,
    coalesce(
        (SELECT page.alert_key
         FROM chatops.notifications AS page
         WHERE page.thread_key = %(thread_key)s AND page.means = %(means)s AND page.target = %(target)s
             AND page.event = 'triggered'
             AND NOT EXISTS (SELECT FROM chatops.notifications AS later WHERE later.follows = page.key)
         ORDER BY page.created_at DESC
         LIMIT 1),
        coalesce(%(thread_key)s, %(key)s) || ':' || floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint
    ),
    clock_timestamp() + CASE
        WHEN EXISTS (SELECT FROM chatops.outbox WHERE key = %(thread_key)s AND ts IS NULL) THEN %(patience)s::interval
        ELSE interval '0'
    END
ON CONFLICT (key) DO NOTHING;

-- name: notify_notifications
-- Wake the sender when this transaction commits.
SELECT pg_notify('chatops_notifications', '');

-- name: cancel_notifications
-- Cancel the unsent notifications with this key prefix; those of `event` or a later one stay. Waits for one that is
-- being sent now. Served by notifications_waiting_idx, or by the primary key where its collation allows it.
UPDATE chatops.notifications
SET state = 'cancelled', ended_at = clock_timestamp()
WHERE state = 'waiting' AND starts_with(key, %(key_prefix)s) AND event < %(event)s::chatops.page_event;

-- name: follow_notifications
-- Notify each pager that rings, or may ring because an answer was lost, of the outcome of its page, once per event.
-- Served by notifications_thread_key_idx.
INSERT INTO chatops.notifications (key, means, target, subject, text, thread_key, event, follows, details, alert_key)
SELECT
    page.key || ':' || %(event)s::chatops.page_event, page.means, page.target, %(subject)s, %(text)s, page.thread_key,
    %(event)s::chatops.page_event, page.key, page.details, page.alert_key
FROM chatops.notifications AS page
WHERE page.thread_key = %(thread_key)s AND starts_with(page.key, %(key_prefix)s)
    AND page.event = 'triggered' AND page.means = 'webhook' AND page.attempts > 0 AND page.state <> 'failed'
ON CONFLICT (key) DO NOTHING;

-- name: list_notifications
-- List all notifications about the subject of one message, oldest first. Served by notifications_thread_key_idx.
SELECT
    notice.key, notice.means, notice.target, notice.subject, notice.text, notice.thread_key, notice.state, notice.attempts, notice.last_error,
    notice.created_at, notice.ended_at, extract(EPOCH FROM clock_timestamp() - notice.created_at)::float8 AS age_s, notice.event,
    coalesce(page.key, notice.key) AS page_key, coalesce(page.created_at, notice.created_at) AS paged_at,
    notice.alert_key, notice.details, root.channel_id AS root_channel, root.ts AS root_ts,
    (SELECT first.ts FROM chatops.outbox AS first WHERE first.key = root.thread_key) AS root_thread_ts
FROM chatops.notifications AS notice
LEFT JOIN chatops.notifications AS page ON page.key = notice.follows
LEFT JOIN chatops.outbox AS root ON root.key = notice.thread_key
WHERE notice.thread_key = %(thread_key)s
ORDER BY notice.created_at, notice.key;

-- name: lock_due_notifications
-- List the due notifications of one kind (`means`), the longest due first, locked until this transaction ends: other
-- senders skip them, and a cancellation waits. One that would wait longer than `longest_pause` was stored before the
-- database's clock stepped back, and is due. Served by notifications_waiting_idx.
SELECT
    notice.key, notice.means, notice.target, notice.subject, notice.text, notice.thread_key, notice.state, notice.attempts, notice.last_error,
    notice.created_at, notice.ended_at, extract(EPOCH FROM clock_timestamp() - notice.created_at)::float8 AS age_s, notice.event,
    coalesce(page.key, notice.key) AS page_key, coalesce(page.created_at, notice.created_at) AS paged_at,
    notice.alert_key, notice.details, notice.link_token, root.channel_id AS root_channel, root.ts AS root_ts,
    (SELECT first.ts FROM chatops.outbox AS first WHERE first.key = root.thread_key) AS root_thread_ts
FROM chatops.notifications AS notice
LEFT JOIN chatops.notifications AS page ON page.key = notice.follows
LEFT JOIN chatops.outbox AS root ON root.key = notice.thread_key
WHERE notice.state = 'waiting' AND notice.means = %(means)s
    AND (
        notice.next_try_at <= clock_timestamp()
        OR notice.next_try_at > clock_timestamp() + %(longest_pause)s::interval
    )
ORDER BY notice.next_try_at, notice.key
LIMIT %(limit)s
FOR UPDATE OF notice SKIP LOCKED;

-- name: read_notifications_wait
-- Seconds until the next notification of this kind is due; null if none waits. Served by notifications_waiting_idx.
SELECT extract(EPOCH FROM min(
    CASE
        WHEN next_try_at > clock_timestamp() + %(longest_pause)s::interval THEN clock_timestamp()
        ELSE next_try_at
    END
) - clock_timestamp())::float8 AS wait_s
FROM chatops.notifications
WHERE state = 'waiting' AND means = %(means)s;

-- name: end_notification
-- Record that it was sent, or never will be. By primary key.
UPDATE chatops.notifications
SET state = %(state)s, attempts = attempts + 1, last_error = %(error)s, ended_at = coalesce(%(at)s, clock_timestamp())
WHERE key = %(key)s AND state = 'waiting';

-- name: postpone_notification
-- Record a failed attempt; the next one is after `pause`. By primary key.
UPDATE chatops.notifications
SET attempts = attempts + 1, last_error = %(error)s, next_try_at = clock_timestamp() + %(pause)s
WHERE key = %(key)s AND state = 'waiting';

-- name: prune_notifications
-- Delete old notifications. Served by notifications_created_at_idx, which clock_timestamp() would not allow, because it
-- changes within the statement.
DELETE FROM chatops.notifications
WHERE created_at < now() - %(older_than)s::interval AND state <> 'waiting';
