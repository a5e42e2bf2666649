-- affects: incident, and who is paged

-- name: lock_opening
-- Make everyone else who opens an incident by hand wait until this transaction ends, so that two people who see the
-- same problem do not open two.
SELECT pg_advisory_xact_lock(hashtextextended('chatops.incidents', 0));

-- name: create_incident
-- Store a new incident and return its id. Its message and its pages follow in the same transaction.
INSERT INTO chatops.incidents (environment, severity, title, services, opened_by_user, opened_by_team, since, chain)
VALUES (
    %(environment)s, %(severity)s, %(title)s, %(services)s, %(opened_by_user)s, %(opened_by_team)s,
    least(%(since)s::timestamptz, clock_timestamp()), %(chain)s
)
RETURNING id;

-- name: read_incident
-- Return the incident; no row if there is none with this id. By primary key.
SELECT
    id, state::text AS state, environment, severity, title, services, opened_by_user, opened_by_team, since, opened_at,
    chain, pages, next_level, due_at, acknowledged_by_user, acknowledged_by_team, acknowledged_at,
    first_acknowledged_at, active_at, reminded_at, cleared_at, briefed, resolved_by_user, resolved_by_team, resolved_at, cause,
    diagnosis, diagnosed_since, remedy, fingerprint, deployed_at
FROM chatops.incidents
WHERE id = %(incident_id)s;

-- name: find_incident_of_message
-- Return the incident whose first message, or one of whose pages, this is: a message of ours that begins a thread. No
-- row for any other message. Served by outbox_incident_ts_idx.
SELECT
    incident.id, incident.state::text AS state, incident.environment, incident.severity, incident.title,
    incident.services, incident.opened_by_user, incident.opened_by_team, incident.since, incident.opened_at,
    incident.chain, incident.pages, incident.next_level, incident.due_at, incident.acknowledged_by_user,
    incident.acknowledged_by_team, incident.acknowledged_at, incident.first_acknowledged_at, incident.active_at,
    incident.reminded_at, incident.cleared_at, incident.briefed, incident.resolved_by_user,
    incident.resolved_by_team, incident.resolved_at, incident.cause, incident.diagnosis, incident.diagnosed_since,
    incident.remedy, incident.fingerprint, incident.deployed_at
FROM chatops.outbox AS message
INNER JOIN chatops.incidents AS incident ON incident.id = split_part(message.key, ':', 2)::bigint
WHERE message.ts = %(ts)s AND message.channel_id = %(channel_id)s
    AND message.thread_key IS NULL AND starts_with(message.key, 'incident:');

-- name: list_open_incidents
-- List the unresolved incidents, acknowledged or not, oldest first. Served by incidents_unresolved_idx.
SELECT
    id, state::text AS state, environment, severity, title, services, opened_by_user, opened_by_team, since, opened_at,
    chain, pages, next_level, due_at, acknowledged_by_user, acknowledged_by_team, acknowledged_at,
    first_acknowledged_at, active_at, reminded_at, cleared_at, briefed, resolved_by_user, resolved_by_team, resolved_at, cause,
    diagnosis, diagnosed_since, remedy, fingerprint, deployed_at
FROM chatops.incidents
WHERE state <> 'resolved'
ORDER BY id;

-- name: list_incidents
-- List the newest incidents in any state, newest first. By primary key, backwards.
SELECT
    id, state::text AS state, environment, severity, title, services, opened_by_user, opened_by_team, since, opened_at,
    chain, pages, next_level, due_at, acknowledged_by_user, acknowledged_by_team, acknowledged_at,
    first_acknowledged_at, active_at, reminded_at, cleared_at, briefed, resolved_by_user, resolved_by_team, resolved_at, cause,
    diagnosis, diagnosed_since, remedy, fingerprint, deployed_at
FROM chatops.incidents
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_opened_by
-- List the ids of the incidents that one person opened by hand within the window, oldest first. Those dated in the
-- future, because the database's clock has stepped back since, do not count. Served by incidents_opened_at_idx.
SELECT id
FROM chatops.incidents
WHERE
    opened_at > statement_timestamp() - %(window)s::interval AND opened_at <= statement_timestamp()
    AND opened_by_user = %(user_id)s
ORDER BY id;

-- name: lock_incident
-- Lock the incident until this transaction ends; return the database's time after any wait. No row if there is none. By
-- primary key.
SELECT clock_timestamp()
FROM chatops.incidents
WHERE id = %(incident_id)s
FOR NO KEY UPDATE;

-- name: acknowledge_incident
-- Make the person its owner, to be reminded after `due_in`, also in place of another; no row if it is resolved. By
-- primary key.
UPDATE chatops.incidents
SET
    state = 'acknowledged',
    acknowledged_by_user = %(user_id)s,
    acknowledged_by_team = %(team_id)s,
    active_at = clock_timestamp(),
    reminded_at = NULL,
    due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND state IN ('open', 'acknowledged')
RETURNING id;

-- name: unacknowledge_incident
-- Open an acknowledged incident again, with its next page due at once; no row if it was not acknowledged. By primary
-- key.
UPDATE chatops.incidents
SET state = 'open', reminded_at = NULL, due_at = clock_timestamp()
WHERE id = %(incident_id)s AND state = 'acknowledged'
RETURNING id;

-- name: resolve_incident
-- Resolve the incident and store its cause; no row if it was resolved already. By primary key.
UPDATE chatops.incidents
SET
    state = 'resolved',
    resolved_by_user = %(user_id)s,
    resolved_by_team = %(team_id)s,
    cause = %(cause)s,
    active_at = clock_timestamp()
WHERE id = %(incident_id)s AND state IN ('open', 'acknowledged')
RETURNING id;

-- name: change_severity
-- Change the severity; no row if it is the same already or the incident is resolved. By primary key.
UPDATE chatops.incidents
SET severity = %(severity)s, active_at = clock_timestamp()
WHERE id = %(incident_id)s AND state <> 'resolved' AND severity <> %(severity)s
RETURNING id;

-- name: note_activity
-- Record that a person did something: the reminder of an owner is due `due_in` from now. No row if it is resolved. By
-- primary key.
UPDATE chatops.incidents
SET
    active_at = clock_timestamp(),
    reminded_at = NULL,
    due_at = CASE WHEN state = 'acknowledged' THEN clock_timestamp() + %(due_in)s ELSE due_at END
WHERE id = %(incident_id)s AND state <> 'resolved'
RETURNING id;

-- name: note_reminder
-- Record that the owner is reminded now; the next reminder is due after `due_in` (null: none). No row if it is
-- resolved. By primary key.
UPDATE chatops.incidents
SET reminded_at = clock_timestamp(), due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND state <> 'resolved'
RETURNING id;

-- name: set_due
-- Have the leader look at the incident again after `due_in` (null: not by itself). No row if it is resolved. By primary
-- key.
UPDATE chatops.incidents
SET due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND state <> 'resolved'
RETURNING id;

-- name: set_cleared
-- Record when the last of its alerts ended, or null if one fires again: then paging starts at the first level again,
-- and so does the diagnosis. No row if the incident is resolved or the same was recorded already. By primary key.
UPDATE chatops.incidents
SET
    cleared_at = %(cleared_at)s::timestamptz,
    next_level = CASE WHEN %(cleared_at)s::timestamptz IS NULL THEN 0 ELSE next_level END,
    briefed = CASE WHEN %(cleared_at)s::timestamptz IS NULL THEN 0 ELSE briefed END,
    diagnosis = CASE WHEN %(cleared_at)s::timestamptz IS NULL THEN NULL ELSE diagnosis END,
    diagnosed_since = CASE WHEN %(cleared_at)s::timestamptz IS NULL THEN NULL ELSE diagnosed_since END,
    remedy = CASE WHEN %(cleared_at)s::timestamptz IS NULL THEN NULL ELSE remedy END,
    reminded_at = NULL
WHERE id = %(incident_id)s AND state <> 'resolved' AND cleared_at IS DISTINCT FROM %(cleared_at)s::timestamptz
RETURNING id;

-- name: note_briefed
-- Record that this part of the diagnosis is posted; without a new cause the stored one stays. No row unless it is the
-- next part and the incident is not resolved. By primary key.
UPDATE chatops.incidents
SET
    briefed = %(part)s,
    diagnosis = coalesce(%(diagnosis)s::text, diagnosis),
    diagnosed_since = CASE WHEN %(diagnosis)s::text IS NULL THEN diagnosed_since ELSE %(diagnosed_since)s::timestamptz END,
    remedy = CASE WHEN %(diagnosis)s::text IS NULL THEN remedy ELSE %(remedy)s::text END
WHERE id = %(incident_id)s AND state <> 'resolved' AND briefed = %(part)s - 1
RETURNING id;

-- name: read_picture
-- Return the picture of the incident's hour as it was drawn last; no row if it was not drawn yet. By primary key.
SELECT picture AS blocks, pictured_at AS drawn_at FROM chatops.incidents WHERE id = %(incident_id)s AND picture IS NOT NULL;

-- name: store_picture
-- Store the picture in place of an earlier one; no row if there is no such incident. By primary key.
UPDATE chatops.incidents
SET picture = %(blocks)s, pictured_at = %(drawn_at)s
WHERE id = %(incident_id)s
RETURNING id;

-- name: create_page
-- Store a page before people are paged; no row if there is one of this number already. The trigger check_page refuses
-- it unless the incident is open. By primary key.
INSERT INTO chatops.incident_pages (incident_id, number, level, reason)
VALUES (%(incident_id)s, %(number)s, %(level)s, %(reason)s)
ON CONFLICT (incident_id, number) DO NOTHING
RETURNING number;

-- name: count_page
-- Count the stored page; the next is due after `due_in`. No row unless its number follows the last counted one. By
-- primary key.
UPDATE chatops.incidents
SET pages = %(number)s, next_level = %(level)s + 1, due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND pages = %(number)s - 1
RETURNING id;

-- name: list_pages
-- List the incident's pages, oldest first. By primary key.
SELECT incident_id, number, level, reason, paged_at
FROM chatops.incident_pages
WHERE incident_id = %(incident_id)s
ORDER BY number;
