-- affects: the timelines of incidents

-- name: add_event
-- Something happened in an incident; the same message is marked once. By incident_events_incident_id_channel_id_ts_key.
INSERT INTO chatops.incident_events (incident_id, happened_at, kind, by_user, by_team, text, channel_id, ts)
VALUES (
    %(incident_id)s, coalesce(%(happened_at)s, clock_timestamp()), %(kind)s, %(by_user)s, %(by_team)s, %(text)s,
    %(channel_id)s, %(ts)s
)
ON CONFLICT (incident_id, channel_id, ts) DO NOTHING
RETURNING id;

-- name: list_own_lines
-- The lines of one kind that one person wrote in an incident recently, newest first; none from before its severity changed
-- last, so that a later word of theirs keeps its place in the order. Served by incident_events_timeline_idx.
SELECT id, text || more AS text, repeats
FROM chatops.incident_events
WHERE incident_id = %(incident_id)s AND kind = %(kind)s AND by_user = %(user_id)s
    AND happened_at > statement_timestamp() - %(window)s::interval
    AND happened_at <= statement_timestamp()
    AND happened_at > coalesce(
        (SELECT max(changed.happened_at) FROM chatops.incident_events AS changed
         WHERE changed.incident_id = %(incident_id)s AND changed.kind = 'severity'),
        '-infinity'
    )
ORDER BY happened_at DESC, id DESC;

-- name: repeat_line
-- The line holds one more of the same person. By primary key.
UPDATE chatops.incident_events
SET more = more || %(added)s, repeats = repeats + 1
WHERE id = %(id)s
RETURNING repeats;

-- name: list_events
-- The timeline of one incident. Served by incident_events_timeline_idx.
SELECT incident_id, happened_at, kind, by_user, by_team, text || more AS text, channel_id, ts, repeats
FROM chatops.incident_events
WHERE incident_id = %(incident_id)s
ORDER BY happened_at, id
LIMIT %(limit)s;

-- name: list_confirming_events
-- Who acknowledged unresolved incidents, still works on them, or changed their severity. Served by incidents_unresolved_idx.
SELECT
    event.incident_id, event.happened_at, event.kind, event.by_user, event.by_team, event.text, event.channel_id,
    event.ts
FROM chatops.incidents AS incident
INNER JOIN chatops.incident_events AS event ON event.incident_id = incident.id
WHERE incident.state <> 'resolved' AND event.kind IN ('acknowledged', 'active', 'severity')
ORDER BY event.happened_at, event.id;

-- name: remove_mark
-- A person removed their mark from a message. Served by the index of one incident's events.
DELETE FROM chatops.incident_events
WHERE incident_id = %(incident_id)s AND channel_id = %(channel_id)s AND ts = %(ts)s
RETURNING id;
