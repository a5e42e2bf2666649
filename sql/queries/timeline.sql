-- affects: the timelines of incidents

-- name: add_event
-- Store an event of an incident and return its id; no row for a message that is stored already, by
-- incident_events_incident_id_channel_id_ts_key.
INSERT INTO chatops.incident_events (incident_id, happened_at, kind, by_user, by_team, text, channel_id, ts)
VALUES (
    %(incident_id)s, coalesce(%(happened_at)s, clock_timestamp()), %(kind)s, %(by_user)s, %(by_team)s, %(text)s,
    %(channel_id)s, %(ts)s
)
ON CONFLICT (incident_id, channel_id, ts) DO NOTHING
RETURNING id;

-- name: list_own_lines
-- List the person's lines of this kind within the window, newest first. Lines from before the last change of severity
-- are left out, so that a later line keeps its place in the order. Served by incident_events_timeline_idx.
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
-- Append `added` to the line, count one repetition of the same person, and return the number of repetitions. By primary
-- key.
UPDATE chatops.incident_events
SET more = more || %(added)s, repeats = repeats + 1
WHERE id = %(id)s
RETURNING repeats;

-- name: list_events
-- List the first `limit` events of one incident, oldest first. Served by incident_events_timeline_idx.
SELECT incident_id, happened_at, kind, by_user, by_team, text || more AS text, channel_id, ts, repeats
FROM chatops.incident_events
WHERE incident_id = %(incident_id)s
ORDER BY happened_at, id
LIMIT %(limit)s;

-- name: list_confirming_events
-- List the events by which people acknowledged unresolved incidents, confirmed that they still work on them, or changed
-- their severity, oldest first. Served by incidents_unresolved_idx.
SELECT
    event.incident_id, event.happened_at, event.kind, event.by_user, event.by_team, event.text, event.channel_id,
    event.ts
FROM chatops.incidents AS incident
INNER JOIN chatops.incident_events AS event ON event.incident_id = incident.id
WHERE incident.state <> 'resolved' AND event.kind IN ('acknowledged', 'active', 'severity')
ORDER BY event.happened_at, event.id;

-- name: remove_mark
-- Take a marked message out of the timeline; no row if it was not in it. Served by the index of one incident's events.
DELETE FROM chatops.incident_events
WHERE incident_id = %(incident_id)s AND channel_id = %(channel_id)s AND ts = %(ts)s
RETURNING id;
