-- affects: the follow-ups of incidents

-- name: add_todo
-- Add a follow-up of an incident and return it.
INSERT INTO chatops.incident_todos (incident_id, text, owner, due_at, by_user, issue_marker)
VALUES (%(incident_id)s, %(text)s, %(owner)s, %(due_at)s, %(by_user)s, %(issue_marker)s)
RETURNING id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by, issue_url;

-- name: read_todo
-- Return the follow-up; no row if there is none with this number. By primary key.
SELECT id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by, issue_url
FROM chatops.incident_todos
WHERE id = %(todo_id)s;

-- name: list_open_todos
-- List open follow-ups of all incidents, the next due first, those without a date last. `owner` null: of all owners.
-- Served by incident_todos_open_idx.
SELECT id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by, issue_url
FROM chatops.incident_todos
WHERE done_at IS NULL AND (%(owner)s::text IS NULL OR owner = %(owner)s::text)
ORDER BY due_at, id
LIMIT %(limit)s;

-- name: list_todos_of_incident
-- List the incident's follow-ups, done or not, in the order in which they were added. Served by
-- incident_todos_incident_id_idx.
SELECT id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by, issue_url
FROM chatops.incident_todos
WHERE incident_id = %(incident_id)s
ORDER BY id
LIMIT %(limit)s;

-- name: finish_todo
-- Mark the follow-up as done and return it; no row if it was done before, or does not exist. By primary key.
UPDATE chatops.incident_todos
SET done_at = clock_timestamp(), done_by = %(done_by)s
WHERE id = %(todo_id)s AND done_at IS NULL
RETURNING id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by, issue_url;

-- name: next_wanted_issue
-- Return the issue that is due first, with its content, locked; no row if none is due. Served by
-- incident_todos_issue_due_idx and outbox_pkey.
SELECT
    todo.id AS todo_id, todo.incident_id, todo.text, todo.due_at, todo.issue_marker AS marker,
    todo.issue_sent_at AS sent_at, todo.issue_attempts AS attempts, todo.done_at IS NOT NULL AS is_done,
    incident.title, message.channel_id, message.ts
FROM chatops.incident_todos AS todo
INNER JOIN chatops.incidents AS incident ON incident.id = todo.incident_id
LEFT JOIN chatops.outbox AS message ON message.key = 'incident:' || todo.incident_id
WHERE todo.issue_marker IS NOT NULL AND todo.issue_url IS NULL AND todo.issue_failed IS NULL
    AND todo.issue_due_at <= clock_timestamp()
ORDER BY todo.issue_due_at
LIMIT 1
FOR UPDATE OF todo;

-- name: want_issues
-- Request issues for open follow-ups without one, oldest first; none while GitHub refuses those that wait. Served by
-- incident_todos_open_idx and incident_todos_issue_due_idx.
WITH without_issue AS (
    SELECT id
    FROM chatops.incident_todos
    WHERE done_at IS NULL AND issue_marker IS NULL
        AND NOT EXISTS (
            SELECT FROM chatops.incident_todos AS waiting
            WHERE waiting.issue_marker IS NOT NULL AND waiting.issue_url IS NULL AND waiting.issue_failed IS NULL
                AND waiting.issue_refused_at IS NOT NULL
        )
    ORDER BY id
    LIMIT %(limit)s
    FOR UPDATE
)

UPDATE chatops.incident_todos AS todo
SET issue_marker = 'dragonfly-follow-up:' || replace(gen_random_uuid()::text, '-', ''),
    issue_due_at = clock_timestamp()
FROM without_issue
WHERE todo.id = without_issue.id
RETURNING todo.id;

-- name: read_issues_refused_since
-- Return since when GitHub refuses issues; null while no wanted issue is refused. Served by
-- incident_todos_issue_due_idx.
SELECT min(issue_refused_at)
FROM chatops.incident_todos
WHERE issue_marker IS NOT NULL AND issue_url IS NULL AND issue_failed IS NULL;

-- name: postpone_refused_issues
-- Postpone this refused issue, without counting the attempt, and all other wanted issues of open follow-ups, because
-- GitHub would refuse them too. Served by incident_todos_issue_due_idx.
UPDATE chatops.incident_todos
SET issue_refused_at = %(since)s,
    issue_due_at = clock_timestamp() + %(again_in)s::interval,
    issue_attempts = issue_attempts - (id = %(todo_id)s)::integer
WHERE issue_marker IS NOT NULL AND issue_url IS NULL AND issue_failed IS NULL
    AND (done_at IS NULL OR id = %(todo_id)s)
RETURNING id;

-- name: retry_refused_issues
-- Make the refused issues due at once. Served by incident_todos_issue_due_idx.
UPDATE chatops.incident_todos
SET issue_due_at = clock_timestamp()
WHERE issue_marker IS NOT NULL AND issue_url IS NULL AND issue_failed IS NULL AND issue_refused_at IS NOT NULL;

-- name: resume_refused_issues
-- Make the refused issues due at once and clear the refusal: GitHub accepts them again. Served by
-- incident_todos_issue_due_idx.
UPDATE chatops.incident_todos
SET issue_due_at = clock_timestamp(), issue_refused_at = NULL
WHERE issue_marker IS NOT NULL AND issue_url IS NULL AND issue_failed IS NULL AND issue_refused_at IS NOT NULL;

-- name: begin_issue
-- Record that the issue is being created: from now on it may exist. By primary key.
UPDATE chatops.incident_todos
SET issue_sent_at = coalesce(issue_sent_at, clock_timestamp()),
    issue_attempts = issue_attempts + 1,
    issue_due_at = clock_timestamp() + %(again_in)s::interval
WHERE id = %(todo_id)s;

-- name: forget_issue_was_sent
-- Record that the issue can't exist, because its creation was refused or never sent. By primary key.
UPDATE chatops.incident_todos SET issue_sent_at = NULL WHERE id = %(todo_id)s AND issue_url IS NULL;

-- name: finish_issue
-- Store the issue's address or the reason why there is none; no row if one is stored already. By primary key.
UPDATE chatops.incident_todos
SET issue_url = %(url)s, issue_failed = %(failed)s
WHERE id = %(todo_id)s AND issue_url IS NULL AND issue_failed IS NULL
RETURNING id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by, issue_url;
