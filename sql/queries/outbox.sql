-- affects: messages of runs and alerts

-- name: store_message
-- What a message is to say, from now on; unchanged content stays as it is. A reply to a reply belongs to the thread of
-- the first message, because Slack knows no other. By primary key.
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
-- Of the messages about a watched file whose key begins so: "policy:file:". Once per change of the file. Served by
-- outbox_file_messages_idx.
SELECT key FROM chatops.outbox
WHERE key LIKE '%%:file:%%' AND starts_with(key, %(prefix)s)
ORDER BY created_at DESC
LIMIT 1;

-- name: notify_outbox
-- Wakes the sender once this transaction commits.
SELECT pg_notify('chatops_outbox', '');

-- name: list_due_messages
-- What may be sent now from one outbox queue, pages first, then what Slack has never seen, then what has been due longest.
-- Of what is new one per channel, because the next one there waits for Slack's pace, and what goes elsewhere must not wait with
-- it. A reply waits for the message it belongs to, unless Slack refused that one. What would wait longer than anything is
-- postponed, and is not kept unposted, was stored before the database's clock stepped back, and is due. Served by
-- outbox_unsent_idx.
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
-- Seconds until a queue's next message may be sent; null when nothing waits. Served by outbox_unsent_idx; the thread's
-- message by primary key, one by one, because few wait and many were sent.
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
-- The intent, before the call: a successor looks for the message before posting it again. No row when another replica
-- began meanwhile. By primary key.
UPDATE chatops.outbox
SET posting_since = clock_timestamp()
WHERE key = %(key)s AND ts IS NULL AND withdrawn_at IS NULL AND posting_since IS NOT DISTINCT FROM %(seen)s
RETURNING true AS begun;

-- name: mark_sent
-- Slack shows this version; the next one waits, so that quick changes become one edit. By primary key.
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
-- Slack shows a message: those that lead to it are sent once more, with its address. Served by outbox_link_key_idx.
UPDATE chatops.outbox
SET content_version = content_version + 1
WHERE link_key = %(key)s AND withdrawn_at IS NULL;

-- name: mark_refused
-- Slack did not take it: try again later. By primary key.
UPDATE chatops.outbox
SET
    attempts = attempts + 1,
    last_error = %(error)s,
    next_try_at = clock_timestamp() + %(pause)s,
    posting_since = CASE WHEN %(maybe_posted)s THEN posting_since END
WHERE key = %(key)s;

-- name: mark_undeliverable
-- Slack refused it for good: it leaves the queue, unless it says something else by now. By primary key.
UPDATE chatops.outbox
SET
    attempts = attempts + 1,
    last_error = %(error)s,
    refused_at = CASE WHEN content_version = %(version)s THEN clock_timestamp() END,
    next_try_at = clock_timestamp(),
    posting_since = NULL
WHERE key = %(key)s;

-- name: list_undeliverable
-- What Slack has permanently refused recently, newest first. Served by outbox_refused_at_idx.
SELECT key, channel, priority, coalesce(last_error, '') AS error, refused_at
FROM chatops.outbox
WHERE refused_at > statement_timestamp() - %(window)s::interval
ORDER BY refused_at DESC
LIMIT %(limit)s;

-- name: retry_undeliverable
-- A channel takes messages again: what it refused recently is tried once more. Served by outbox_refused_at_idx.
UPDATE chatops.outbox
SET refused_at = NULL, attempts = 0, next_try_at = clock_timestamp()
WHERE refused_at > statement_timestamp() - %(window)s::interval AND channel = %(channel)s;

-- name: forget_message
-- It was deleted in Slack, or its channel is gone: it is posted again, once for each copy that is gone. By primary key.
UPDATE chatops.outbox
SET ts = NULL, channel_id = NULL, sent_version = 0, posting_since = NULL, next_try_at = clock_timestamp()
WHERE key = %(key)s AND ts = %(ts)s;

-- name: forget_thread
-- The message that this one belongs below was deleted: it is posted again, once for each copy that is gone. By primary key.
UPDATE chatops.outbox AS parent
SET ts = NULL, channel_id = NULL, sent_version = 0, posting_since = NULL, next_try_at = clock_timestamp()
FROM chatops.outbox AS reply
WHERE reply.key = %(key)s AND parent.key = reply.thread_key AND parent.ts = %(ts)s;

-- name: adopt_message
-- A message that was posted without the database, with what it is to say now; no row when it is known already. By primary key.
INSERT INTO chatops.outbox (key, channel, channel_id, ts, priority, text, blocks)
VALUES (%(key)s, %(channel)s, %(channel_id)s, %(ts)s, 0, %(text)s, %(blocks)s)
ON CONFLICT (key) DO NOTHING
RETURNING true AS adopted;

-- name: replace_message
-- What a message is to say, if it is still there; one that was withdrawn does not come back. By primary key.
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
-- A message once nothing is to be done about it: its sections stay, its buttons and notes go. By primary key.
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
-- The new content of several messages, if they still exist; they page no one any more. Served by outbox_updated_at_idx.
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
-- Another message says it: this one is not posted unless Slack has it already. Its thread still is a place for replies. By
-- primary key.
UPDATE chatops.outbox
SET next_try_at = clock_timestamp() + interval '100 years'
WHERE key = %(key)s AND ts IS NULL AND posting_since IS NULL;

-- name: withdraw_messages
-- What was never handed to Slack never will be. Served by outbox_unsent_idx.
DELETE FROM chatops.outbox
WHERE sent_version = 0 AND sent_version < content_version AND starts_with(key, %(key_prefix)s) AND posting_since IS NULL;

-- name: recall_messages
-- What may be on its way to Slack is not posted again; should it arrive, it says something else. Served by
-- outbox_unsent_idx.
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
-- It has not arrived for so long that it never will. By primary key.
DELETE FROM chatops.outbox
WHERE key = %(key)s AND ts IS NULL AND withdrawn_at < clock_timestamp() - %(older_than)s::interval;

-- name: count_posting
-- What is being handed to Slack at this moment, or may have been. Served by outbox_unsent_idx.
SELECT count(*)
FROM chatops.outbox
WHERE sent_version = 0 AND sent_version < content_version AND starts_with(key, %(key_prefix)s) AND withdrawn_at IS NULL;

-- name: read_oldest_page_s
-- For how many seconds a page waits that Slack has never seen; 0 when none does. What Slack refused for good waits for
-- nothing. Served by outbox_unsent_idx.
SELECT coalesce(extract(EPOCH FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_s
FROM chatops.outbox
WHERE sent_version < content_version AND priority >= %(page)s AND ts IS NULL AND withdrawn_at IS NULL
    AND refused_at IS NULL;

-- name: read_message_state
-- When Slack took a message, and why it did not. By primary key.
SELECT ts, last_error
FROM chatops.outbox
WHERE key = %(key)s;

-- name: read_message_place
-- Where Slack put a message. By primary key.
SELECT channel_id, ts
FROM chatops.outbox
WHERE key = %(key)s;

-- name: read_message_content
-- What a message is to say. By primary key.
SELECT text, blocks
FROM chatops.outbox
WHERE key = %(key)s AND withdrawn_at IS NULL;

-- name: prune_outbox
-- Served by outbox_updated_at_idx, which clock_timestamp() would not let it use, and outbox_thread_key_idx. A thread goes with
-- the last of its replies.
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
