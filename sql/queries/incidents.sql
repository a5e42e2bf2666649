-- affects: incident, and who is paged

-- name: lock_opening
-- One person opens an incident at a time, so that two who see the same trouble do not open two. Held until the commit.
SELECT pg_advisory_xact_lock(hashtextextended('chatops.incidents', 0));

-- name: create_incident
-- A problem that is announced. Its message and its pages follow in the same transaction.
INSERT INTO chatops.incidents (environment, severity, title, services, opened_by_user, opened_by_team, since, chain)
VALUES (
    %(environment)s, %(severity)s, %(title)s, %(services)s, %(opened_by_user)s, %(opened_by_team)s,
    least(%(since)s::timestamptz, clock_timestamp()), %(chain)s
)
RETURNING id;

-- name: read_incident
-- One incident. By primary key.
SELECT
    id, state::text AS state, environment, severity, title, services, opened_by_user, opened_by_team, since, opened_at,
    chain, pages, next_level, due_at, acknowledged_by_user, acknowledged_by_team, acknowledged_at,
    first_acknowledged_at, active_at, reminded_at, cleared_at, briefed, resolved_by_user, resolved_by_team, resolved_at, cause,
    diagnosis, diagnosed_since, remedy, fingerprint, deployed_at
FROM chatops.incidents
WHERE id = %(incident_id)s;

-- name: find_incident_of_message
-- The incident to which a message of ours that begins a thread belongs. Served by outbox_incident_ts_idx.
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
-- Unresolved incidents, oldest first. Served by incidents_unresolved_idx.
SELECT
    id, state::text AS state, environment, severity, title, services, opened_by_user, opened_by_team, since, opened_at,
    chain, pages, next_level, due_at, acknowledged_by_user, acknowledged_by_team, acknowledged_at,
    first_acknowledged_at, active_at, reminded_at, cleared_at, briefed, resolved_by_user, resolved_by_team, resolved_at, cause,
    diagnosis, diagnosed_since, remedy, fingerprint, deployed_at
FROM chatops.incidents
WHERE state <> 'resolved'
ORDER BY id;

-- name: list_incidents
-- The latest incidents. By primary key, backwards.
SELECT
    id, state::text AS state, environment, severity, title, services, opened_by_user, opened_by_team, since, opened_at,
    chain, pages, next_level, due_at, acknowledged_by_user, acknowledged_by_team, acknowledged_at,
    first_acknowledged_at, active_at, reminded_at, cleared_at, briefed, resolved_by_user, resolved_by_team, resolved_at, cause,
    diagnosis, diagnosed_since, remedy, fingerprint, deployed_at
FROM chatops.incidents
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_opened_by
-- The incidents that one person opened by hand recently, oldest first; none that is dated ahead, by a clock that has
-- stepped back since. Served by incidents_opened_at_idx.
SELECT id
FROM chatops.incidents
WHERE
    opened_at > statement_timestamp() - %(window)s::interval AND opened_at <= statement_timestamp()
    AND opened_by_user = %(user_id)s
ORDER BY id;

-- name: lock_incident
-- Locks the incident until this transaction ends; the time is the one after any wait. By primary key.
SELECT clock_timestamp()
FROM chatops.incidents
WHERE id = %(incident_id)s
FOR NO KEY UPDATE;

-- name: acknowledge_incident
-- A person acknowledges it, or takes it over; not once it is resolved. By primary key.
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
-- Its owner is inactive: it pages people again, now. By primary key.
UPDATE chatops.incidents
SET state = 'open', reminded_at = NULL, due_at = clock_timestamp()
WHERE id = %(incident_id)s AND state = 'acknowledged'
RETURNING id;

-- name: resolve_incident
-- A person says that it is over, and what it was. By primary key.
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
-- It is worse, or less bad, than it seemed. By primary key.
UPDATE chatops.incidents
SET severity = %(severity)s, active_at = clock_timestamp()
WHERE id = %(incident_id)s AND state <> 'resolved' AND severity <> %(severity)s
RETURNING id;

-- name: note_activity
-- A person did something about it: the reminder starts again. By primary key.
UPDATE chatops.incidents
SET
    active_at = clock_timestamp(),
    reminded_at = NULL,
    due_at = CASE WHEN state = 'acknowledged' THEN clock_timestamp() + %(due_in)s ELSE due_at END
WHERE id = %(incident_id)s AND state <> 'resolved'
RETURNING id;

-- name: note_reminder
-- The one who took it on was asked whether they still have it. By primary key.
UPDATE chatops.incidents
SET reminded_at = clock_timestamp(), due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND state <> 'resolved'
RETURNING id;

-- name: set_due
-- When the leader has to look at it again; never, while there is nothing to wait for. By primary key.
UPDATE chatops.incidents
SET due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND state <> 'resolved'
RETURNING id;

-- name: set_cleared
-- The last of its alerts ended; or one fires again, pages from the first level on, and is diagnosed again. By primary key.
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
-- One part more of the diagnosis is posted; while no cause is found, what is there stays. By primary key.
UPDATE chatops.incidents
SET
    briefed = %(part)s,
    diagnosis = coalesce(%(diagnosis)s::text, diagnosis),
    diagnosed_since = CASE WHEN %(diagnosis)s::text IS NULL THEN diagnosed_since ELSE %(diagnosed_since)s::timestamptz END,
    remedy = CASE WHEN %(diagnosis)s::text IS NULL THEN remedy ELSE %(remedy)s::text END
WHERE id = %(incident_id)s AND state <> 'resolved' AND briefed = %(part)s - 1
RETURNING id;

-- name: read_picture
-- The picture of its hour, as it was drawn last; null before. By primary key.
SELECT picture AS blocks, pictured_at AS drawn_at FROM chatops.incidents WHERE id = %(incident_id)s AND picture IS NOT NULL;

-- name: store_picture
-- The picture of its hour, drawn again. By primary key.
UPDATE chatops.incidents
SET picture = %(blocks)s, pictured_at = %(drawn_at)s
WHERE id = %(incident_id)s
RETURNING id;

-- name: create_page
-- People are about to be paged; the trigger refuses it once the incident is acknowledged. By primary key.
INSERT INTO chatops.incident_pages (incident_id, number, level, reason)
VALUES (%(incident_id)s, %(number)s, %(level)s, %(reason)s)
ON CONFLICT (incident_id, number) DO NOTHING
RETURNING number;

-- name: count_page
-- The page that was written is the incident's newest, and the next is due then. By primary key.
UPDATE chatops.incidents
SET pages = %(number)s, next_level = %(level)s + 1, due_at = clock_timestamp() + %(due_in)s
WHERE id = %(incident_id)s AND pages = %(number)s - 1
RETURNING id;

-- name: list_pages
-- Each page of one incident, in that order. By primary key.
SELECT incident_id, number, level, reason, paged_at
FROM chatops.incident_pages
WHERE incident_id = %(incident_id)s
ORDER BY number;
