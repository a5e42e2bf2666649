-- affects: drill

-- name: begin_drill
-- A made-up worker whose beat goes stale after `lead`; no row while another drill is under way. By drills_open_idx.
INSERT INTO chatops.drills (asked_by_user, asked_by_team, beat_at, stale_at)
VALUES (
    %(user_id)s, %(team_id)s,
    clock_timestamp() + %(lead)s::interval - %(stale_after)s::interval, clock_timestamp() + %(lead)s::interval
)
ON CONFLICT DO NOTHING
RETURNING id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report;

-- name: read_open_drill
-- The one that is under way. Served by drills_open_idx.
SELECT id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report
FROM chatops.drills
WHERE ended_at IS NULL;

-- name: read_last_drill
-- The newest of all. By primary key.
SELECT id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report
FROM chatops.drills
ORDER BY id DESC
LIMIT 1;

-- name: list_watched_drills
-- What the watch looks at: the one under way, and those that ended lately, so that their alerts end too. Served by
-- drills_open_idx and drills_ended_at_idx.
SELECT id, asked_by_user, asked_by_team, asked_at, beat_at, stale_at, ended_at, report
FROM chatops.drills
WHERE ended_at IS NULL OR (ended_at IS NOT NULL AND ended_at > now() - interval '10 minutes')
ORDER BY id;

-- name: end_drill
-- It is over, with what came of it; no row when it was over already. By primary key.
UPDATE chatops.drills
SET ended_at = clock_timestamp(), report = %(report)s
WHERE id = %(id)s AND ended_at IS NULL
RETURNING true AS ended;

-- name: read_drill_traces
-- What the drill has left behind so far: its alert, which is open while the drill lasts, and the incident that it opened.
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
-- Served by drills_ended_at_idx.
DELETE FROM chatops.drills
WHERE ended_at < now() - %(older_than)s::interval;
