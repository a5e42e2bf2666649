-- affects: answers outside Slack: one-time links, PagerDuty

-- name: find_page_link
-- Return the page that the token's link belongs to; no row if no page has this token. Served by
-- notifications_link_token_idx.
SELECT
    page.key, page.means, page.target, extract(EPOCH FROM clock_timestamp() - page.created_at)::float8 AS age_s,
    page.link_used_at IS NOT NULL AS is_used, root.channel_id AS root_channel, root.ts AS root_ts
FROM chatops.notifications AS page
LEFT JOIN chatops.outbox AS root ON root.key = page.thread_key
WHERE page.link_token = %(token)s;

-- name: use_page_link
-- Mark the link as used; no row if it was used before. Served by notifications_link_token_idx.
UPDATE chatops.notifications
SET link_used_at = clock_timestamp()
WHERE link_token = %(token)s AND link_used_at IS NULL
RETURNING key;

-- name: find_incident_of_pager_alert
-- Return the key of the message that a pager's alert is about; no row for an unknown alert. Served by
-- notifications_alert_key_idx.
SELECT thread_key
FROM chatops.notifications
WHERE alert_key = %(alert_key)s AND event = 'triggered' AND thread_key IS NOT NULL
ORDER BY created_at DESC
LIMIT 1;

-- name: read_pager_history
-- Return what a new event of a pager is compared with: the time of the newest event, the owner that a pager assigned
-- last, and the time at which the incident was last unacknowledged or escalated; each is null if there is none. Served
-- by pager_events_incident_id_idx and incident_events_timeline_idx.
SELECT
    (SELECT max(occurred_at) FROM chatops.pager_events WHERE incident_id = %(incident_id)s) AS newest_at,
    (SELECT owner
     FROM chatops.pager_events
     WHERE incident_id = %(incident_id)s AND owner IS NOT NULL
     ORDER BY occurred_at DESC
     LIMIT 1) AS owner,
    (SELECT max(happened_at)
     FROM chatops.incident_events
     WHERE incident_id = %(incident_id)s AND kind IN ('unacknowledged', 'escalated')) AS reopened_at;

-- name: has_pager_event
-- True if this event was received before. By primary key.
SELECT EXISTS (SELECT FROM chatops.pager_events WHERE id = %(event_id)s);

-- name: record_pager_event
-- Record a pager's event; the same event again changes nothing. By primary key.
INSERT INTO chatops.pager_events (id, incident_id, action, occurred_at, owner, ignored)
VALUES (%(event_id)s, %(incident_id)s, %(action)s, %(occurred_at)s, %(owner)s, %(ignored)s)
ON CONFLICT (id) DO NOTHING;

-- name: prune_pager_events
-- Delete old events. Served by pager_events_received_at_idx.
DELETE FROM chatops.pager_events WHERE received_at < now() - %(older_than)s::interval;
