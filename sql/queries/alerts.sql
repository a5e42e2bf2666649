-- name: list_open_alerts
-- What is pending or firing. Served by alerts_open_fingerprint_idx.
SELECT id, fingerprint, state::text AS state, since, fired_at, summary, message_key
FROM chatops.alerts
WHERE state <> 'resolved'
ORDER BY since;

-- name: open_alert
-- Trouble is seen for the first time. alerts_open_fingerprint_idx keeps it the only open one of its kind.
INSERT INTO chatops.alerts (fingerprint, state, since, summary)
VALUES (%(fingerprint)s, 'pending', %(since)s, %(summary)s)
RETURNING id;

-- name: fire_alert
-- People are told, by the message of this key; also when the words change while it fires. By primary key.
UPDATE chatops.alerts
SET
    state = 'firing',
    fired_at = coalesce(fired_at, %(at)s),
    summary = %(summary)s,
    message_key = %(message_key)s
WHERE id = %(id)s;

-- name: resolve_alert
-- It is over. By primary key.
UPDATE chatops.alerts
SET state = 'resolved', resolved_at = %(at)s, summary = %(summary)s
WHERE id = %(id)s;

-- name: drop_alert
-- It passed before anybody was told. By primary key.
DELETE FROM chatops.alerts
WHERE id = %(id)s AND state = 'pending';
