-- affects: drill

-- name: begin_drill
-- Start a drill: a simulated worker whose heartbeat goes stale after `lead`. No row during another drill, by
-- drills_open_idx.
INSERT INTO chatops.drills (asked_by_user, asked_by_team, beat_at, stale_at)
VALUES (
    %(user_id)s, %(team_id)s,
    clock_timestamp() + %(lead)s::interval - %(stale_after)s::interval, clock_timestamp() + %(lead)s::interval
)
ON CONFLICT DO NOTHING
RETURNING id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report;

-- name: read_open_drill
-- Return the drill that is in progress, if any. Served by drills_open_idx.
SELECT id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report
FROM chatops.drills
WHERE ended_at IS NULL;

-- name: read_last_drill
-- Return the newest drill, in progress or not. By primary key.
SELECT id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report
FROM chatops.drills
ORDER BY id DESC
LIMIT 1;

-- name: list_watched_drills
-- List the drill in progress and those that ended in the last 10 minutes, whose alerts may still have to end. Served by
-- drills_open_idx and drills_ended_at_idx.
SELECT id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report
FROM chatops.drills
WHERE ended_at IS NULL OR (ended_at IS NOT NULL AND ended_at > now() - interval '10 minutes')
ORDER BY id;

-- name: end_drill
-- Store the end of a drill with its report; no row if it had ended already. By primary key.
UPDATE chatops.drills
SET ended_at = clock_timestamp(), report = %(report)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING true AS ended;

-- name: read_drill_traces
-- Return the drill's alert, its message and its incident; no row before the alert was found, and once it is resolved.
-- Served by alerts_open_fingerprint_idx, then by primary keys.
SELECT
    alert.id AS alert_id,
    alert.fired_at,
    alert.held,
    alert.message_key,
    message.ts AS message_ts,
    joined.incident_id
FROM chatops.alerts AS alert
LEFT JOIN chatops.outbox AS message ON message.key = alert.message_key
LEFT JOIN chatops.incident_alerts AS joined ON joined.alert_id = alert.id
WHERE alert.fingerprint = %(fingerprint)s AND alert.state <> 'resolved';

-- name: prune_drills
-- Delete old drills. Served by drills_ended_at_idx.
DELETE FROM chatops.drills
WHERE ended_at < now() - %(older_than)s::interval;
