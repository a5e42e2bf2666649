-- affects: messages of runs and alerts

-- name: store_message
-- Set the content of the message with this key; equal content changes nothing. A reply to a reply belongs to the thread
-- of the first message, because Slack has no nested threads. By primary key.
INSERT INTO chatops.outbox AS stored (key, channel, thread_key, priority, text, blocks, link_key)
VALUES (
    %(key)s, %(channel)s,
    coalesce((SELECT parent.thread_key FROM chatops.outbox AS parent WHERE parent.key = %(thread_key)s), %(thread_key)s),
    %(priority)s, %(text)s, %(blocks)s, %(link_key)s
)
ON CONFLICT (key) DO UPDATE SET
    text = excluded.text,
    blocks = excluded.blocks,
    link_key = excluded.link_key,
    priority = excluded.priority,
    content_version = stored.content_version + 1,
    refused_at = NULL,
    attempts = CASE WHEN stored.refused_at IS NULL THEN stored.attempts ELSE 0 END,
    next_try_at = CASE WHEN stored.refused_at IS NULL THEN stored.next_try_at ELSE clock_timestamp() END,
    updated_at = clock_timestamp()
WHERE (stored.text, stored.blocks) IS DISTINCT FROM (excluded.text, excluded.blocks);

-- name: read_last_message_key
-- Return the key of the newest message about a watched file with this prefix ("policy:file:"). Read once per change of
-- the file. Served by outbox_file_messages_idx.
SELECT key FROM chatops.outbox
WHERE key LIKE '%%:file:%%' AND starts_with(key, %(prefix)s)
ORDER BY created_at DESC
LIMIT 1;

-- name: notify_outbox
-- Wake the sender when this transaction commits.
SELECT pg_notify('chatops_outbox', '');

-- name: list_due_messages
-- List the messages of one outbox queue that may be sent now: pages first, then messages that Slack does not have yet,
-- then the longest due. Of new messages one per channel: Slack's rate limit makes the next one there wait, and it must
-- not delay those of other channels. A reply waits for the first message of its thread, unless Slack refused that one
-- for good. A message that would wait longer than `longest_pause` was stored before the database's clock stepped back,
-- and is due, unless keep_unposted postponed it. Served by outbox_unsent_idx.
SELECT
    message.key,
    coalesce(message.channel_id, parent.channel_id, message.channel) AS channel,
    parent.ts AS thread_ts,
    message.text,
    message.blocks,
    message.content_version AS version,
    message.ts,
    message.posting_since,
    message.attempts,
    message.priority,
    message.withdrawn_at IS NOT NULL AS is_withdrawn,
    message.channel AS home,
    linked.channel_id AS link_channel_id,
    linked.ts AS link_ts,
    (SELECT first.ts FROM chatops.outbox AS first WHERE first.key = linked.thread_key) AS link_thread_ts
FROM (
    SELECT ranked.key
    FROM (
        SELECT
            waiting.key, waiting.priority, waiting.ts, waiting.next_try_at,
            row_number() OVER (
                PARTITION BY waiting.channel, waiting.ts IS NULL
                ORDER BY waiting.priority DESC, waiting.next_try_at, waiting.created_at
            ) AS place
        FROM chatops.outbox AS waiting
        WHERE waiting.sent_version < waiting.content_version
            AND waiting.refused_at IS NULL
            AND (
                waiting.thread_key IS NULL
                OR (
                    SELECT coalesce(begun.ts, begun.refused_at::text)
                    FROM chatops.outbox AS begun
                    WHERE begun.key = waiting.thread_key
                ) IS NOT NULL
            )
            AND (
                waiting.next_try_at <= clock_timestamp()
                OR (
                    waiting.next_try_at > clock_timestamp() + %(longest_pause)s::interval
                    AND waiting.next_try_at < clock_timestamp() + interval '50 years'
                )
            )
            AND (waiting.ts IS NULL AND waiting.priority >= %(page)s) = %(new_pages)s
            AND CASE WHEN waiting.ts IS NULL THEN %(may_post)s::boolean ELSE %(may_update)s::boolean END
    ) AS ranked
    WHERE ranked.ts IS NOT NULL OR ranked.place = 1
    ORDER BY ranked.priority DESC, ranked.ts IS NOT NULL, ranked.next_try_at
    LIMIT %(limit)s
) AS due
INNER JOIN chatops.outbox AS message ON message.key = due.key
LEFT JOIN chatops.outbox AS parent ON parent.key = message.thread_key
LEFT JOIN chatops.outbox AS linked ON linked.key = message.link_key
ORDER BY message.priority DESC, message.ts IS NOT NULL, message.next_try_at;

-- name: read_outbox_wait
-- Seconds until the queue's next message may be sent; null if the queue is empty. Served by outbox_unsent_idx; the
-- first message of the thread is found by primary key for each waiting message, because few wait and many were sent.
SELECT extract(EPOCH FROM min(
    CASE
        WHEN message.next_try_at > clock_timestamp() + %(longest_pause)s::interval
            AND message.next_try_at < clock_timestamp() + interval '50 years' THEN clock_timestamp()
        ELSE message.next_try_at
    END
) - clock_timestamp())::float8 AS wait_s
FROM chatops.outbox AS message
WHERE message.sent_version < message.content_version
    AND message.refused_at IS NULL
    AND (
        message.thread_key IS NULL
        OR (
            SELECT coalesce(parent.ts, parent.refused_at::text)
            FROM chatops.outbox AS parent
            WHERE parent.key = message.thread_key
        ) IS NOT NULL
    )
    AND (message.ts IS NULL AND message.priority >= %(page)s) = %(new_pages)s
    AND CASE WHEN message.ts IS NULL THEN %(may_post)s::boolean ELSE %(may_update)s::boolean END;

-- name: begin_posting
-- Record that a post is about to be sent, so that a successor looks for the message before it posts it again. No row if
-- another replica has started to post it meanwhile. By primary key.
UPDATE chatops.outbox
SET posting_since = clock_timestamp()
WHERE key = %(key)s AND ts IS NULL AND withdrawn_at IS NULL AND posting_since IS NOT DISTINCT FROM %(seen)s
RETURNING true AS begun;

-- name: mark_sent
-- Record that Slack shows this version; the next change is sent after `pause` at the earliest, so that quick changes
-- become one edit. By primary key.
UPDATE chatops.outbox
SET
    sent_version = %(version)s,
    channel_id = %(channel_id)s,
    ts = %(ts)s,
    posting_since = NULL,
    attempts = 0,
    last_error = NULL,
    next_try_at = clock_timestamp() + %(pause)s
WHERE key = %(key)s;

-- name: renew_links
-- Send the messages with a button that leads to this message again, with its address, now that Slack shows it. Served
-- by outbox_link_key_idx.
UPDATE chatops.outbox
SET content_version = content_version + 1
WHERE link_key = %(key)s AND withdrawn_at IS NULL;

-- name: mark_refused
-- Record a failed attempt; the next one is after `pause`. By primary key.
UPDATE chatops.outbox
SET
    attempts = attempts + 1,
    last_error = %(error)s,
    next_try_at = clock_timestamp() + %(pause)s,
    posting_since = CASE WHEN %(maybe_posted)s THEN posting_since END
WHERE key = %(key)s;

-- name: mark_undeliverable
-- Record that Slack refused this version for good: the message leaves the queue, unless its content has changed
-- meanwhile. By primary key.
UPDATE chatops.outbox
SET
    attempts = attempts + 1,
    last_error = %(error)s,
    refused_at = CASE WHEN content_version = %(version)s THEN clock_timestamp() END,
    next_try_at = clock_timestamp(),
    posting_since = NULL
WHERE key = %(key)s;

-- name: list_undeliverable
-- List the messages that Slack refused for good within the window, newest first. Served by outbox_refused_at_idx.
SELECT key, channel, priority, coalesce(last_error, '') AS error, refused_at
FROM chatops.outbox
WHERE refused_at > statement_timestamp() - %(window)s::interval
ORDER BY refused_at DESC
LIMIT %(limit)s;

-- name: retry_undeliverable
-- Try messages again that Slack refused for good in this channel within the window. Served by outbox_refused_at_idx.
UPDATE chatops.outbox
SET refused_at = NULL, attempts = 0, next_try_at = clock_timestamp()
WHERE refused_at > statement_timestamp() - %(window)s::interval AND channel = %(channel)s;

-- name: forget_message
-- Post the message again, because it was deleted in Slack, or its channel is gone; once per copy that is gone. By
-- primary key.
UPDATE chatops.outbox
SET ts = NULL, channel_id = NULL, sent_version = 0, posting_since = NULL, next_try_at = clock_timestamp()
WHERE key = %(key)s AND ts = %(ts)s;

-- name: forget_thread
-- Post the first message of the thread again, because it was deleted in Slack; once per copy that is gone. By primary
-- key.
UPDATE chatops.outbox AS parent
SET ts = NULL, channel_id = NULL, sent_version = 0, posting_since = NULL, next_try_at = clock_timestamp()
FROM chatops.outbox AS reply
WHERE reply.key = %(key)s AND parent.key = reply.thread_key AND parent.ts = %(ts)s;

-- name: adopt_message
-- Add a message that was posted without the database, with its new content; no row if it is in the outbox already. By
-- primary key.
INSERT INTO chatops.outbox (key, channel, channel_id, ts, priority, text, blocks)
VALUES (%(key)s, %(channel)s, %(channel_id)s, %(ts)s, 0, %(text)s, %(blocks)s)
ON CONFLICT (key) DO NOTHING
RETURNING true AS adopted;

-- name: replace_message
-- Change the content of an existing message; no row if there is none or its content is equal. A withdrawn message stays
-- withdrawn. By primary key.
UPDATE chatops.outbox
SET
    text = %(text)s,
    blocks = %(blocks)s,
    link_key = %(link_key)s,
    content_version = content_version + 1,
    refused_at = NULL,
    updated_at = clock_timestamp()
WHERE key = %(key)s AND (text, blocks) IS DISTINCT FROM (%(text)s, %(blocks)s)
RETURNING key;

-- name: remove_buttons
-- Keep only the sections of a message, because nothing is left to do about it: its buttons and notes go. By primary
-- key.
UPDATE chatops.outbox
SET
    blocks = (
        SELECT jsonb_agg(block ORDER BY position)
        FROM jsonb_array_elements(blocks) WITH ORDINALITY AS shown (block, position)
        WHERE block ->> 'type' = 'section'
    ),
    content_version = content_version + 1,
    updated_at = clock_timestamp()
WHERE key = %(key)s
    AND blocks @> '[{"type": "actions"}]'
    AND blocks @> '[{"type": "section"}]';

-- name: replace_messages
-- Change all messages with this key prefix that were updated since `since` and are not withdrawn; they page no one any
-- more. Served by outbox_updated_at_idx.
UPDATE chatops.outbox
SET
    text = %(text)s,
    blocks = %(blocks)s,
    link_key = %(link_key)s,
    priority = 0,
    content_version = content_version + 1,
    updated_at = clock_timestamp()
WHERE updated_at >= %(since)s AND starts_with(key, %(key_prefix)s) AND withdrawn_at IS NULL
    AND (text, blocks) IS DISTINCT FROM (%(text)s, %(blocks)s);

-- name: keep_unposted
-- Don't post a message that Slack does not have yet, because another one has the same content. Its row stays for the
-- replies in its thread. By primary key.
UPDATE chatops.outbox
SET next_try_at = clock_timestamp() + interval '100 years'
WHERE key = %(key)s AND ts IS NULL AND posting_since IS NULL;

-- name: withdraw_messages
-- Delete the messages with this key prefix that were never handed to Slack. Served by outbox_unsent_idx.
DELETE FROM chatops.outbox
WHERE sent_version = 0 AND sent_version < content_version AND starts_with(key, %(key_prefix)s) AND posting_since IS NULL;

-- name: recall_messages
-- Mark the messages with this key prefix that may be on their way to Slack: they are not posted again, and get this
-- content if they arrive. Served by outbox_unsent_idx.
UPDATE chatops.outbox
SET
    text = %(text)s,
    blocks = %(blocks)s,
    content_version = content_version + 1,
    updated_at = clock_timestamp(),
    next_try_at = clock_timestamp(),
    withdrawn_at = clock_timestamp()
WHERE sent_version = 0 AND sent_version < content_version AND starts_with(key, %(key_prefix)s)
    AND posting_since IS NOT NULL AND withdrawn_at IS NULL;

-- name: forget_recalled
-- Delete a message that was recalled longer ago than `older_than` and never arrived. By primary key.
DELETE FROM chatops.outbox
WHERE key = %(key)s AND ts IS NULL AND withdrawn_at < clock_timestamp() - %(older_than)s::interval;

-- name: count_posting
-- Count the new messages with this key prefix that are not withdrawn: after withdraw_messages, those that Slack may be
-- receiving now. Served by outbox_unsent_idx.
SELECT count(*)
FROM chatops.outbox
WHERE sent_version = 0 AND sent_version < content_version AND starts_with(key, %(key_prefix)s) AND withdrawn_at IS NULL;

-- name: read_oldest_page_s
-- Seconds that the oldest page that Slack does not show yet has waited; 0 if none waits. A page that Slack refused for
-- good does not wait. Served by outbox_unsent_idx.
SELECT coalesce(extract(EPOCH FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_s
FROM chatops.outbox
WHERE sent_version < content_version AND priority >= %(page)s AND ts IS NULL AND withdrawn_at IS NULL
    AND refused_at IS NULL;

-- name: read_message_state
-- Return Slack's ts of the message, null if Slack has not accepted it, and the last error. By primary key.
SELECT ts, last_error
FROM chatops.outbox
WHERE key = %(key)s;

-- name: read_message_place
-- Return Slack's channel id and ts of the message, null while Slack has not accepted it. By primary key.
SELECT channel_id, ts
FROM chatops.outbox
WHERE key = %(key)s;

-- name: read_message_content
-- Return the text and blocks of a message; no row if the key is unknown or the message was withdrawn. By primary key.
SELECT text, blocks
FROM chatops.outbox
WHERE key = %(key)s AND withdrawn_at IS NULL;

-- name: prune_outbox
-- Delete old messages, except those of open alerts and incidents; the first message of a thread is deleted only when no
-- reply is left. Served by outbox_updated_at_idx, which clock_timestamp() would not allow, and outbox_thread_key_idx.
DELETE FROM chatops.outbox AS message
WHERE
    message.updated_at < now() - %(older_than)s::interval
    AND NOT EXISTS (SELECT FROM chatops.outbox AS reply WHERE reply.thread_key = message.key)
    AND NOT EXISTS (
        SELECT FROM chatops.alerts AS alert WHERE alert.message_key = message.key AND alert.state <> 'resolved'
    )
    AND NOT EXISTS (
        SELECT FROM chatops.incidents AS incident
        WHERE incident.state <> 'resolved' AND message.key = 'incident:' || incident.id
    );
