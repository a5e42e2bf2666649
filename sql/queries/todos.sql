-- name: add_todo
-- What is to be done after an incident.
INSERT INTO chatops.incident_todos (incident_id, text, owner, due_at, by_user)
VALUES (%(incident_id)s, %(text)s, %(owner)s, %(due_at)s, %(by_user)s)
RETURNING id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by;

-- name: read_todo
-- By primary key.
SELECT id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by
FROM chatops.incident_todos
WHERE id = %(todo_id)s;

-- name: list_open_todos
-- Of all incidents, the next to be due first; null as owner: everyone's. Served by incident_todos_open_idx.
SELECT id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by
FROM chatops.incident_todos
WHERE done_at IS NULL AND (%(owner)s::text IS NULL OR owner = %(owner)s::text)
ORDER BY due_at, id
LIMIT %(limit)s;

-- name: list_todos_of_incident
-- Done or not, in the order in which they were added. Served by incident_todos_incident_id_idx.
SELECT id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by
FROM chatops.incident_todos
WHERE incident_id = %(incident_id)s
ORDER BY id
LIMIT %(limit)s;

-- name: finish_todo
-- It is done, once. By primary key.
UPDATE chatops.incident_todos
SET done_at = clock_timestamp(), done_by = %(done_by)s
WHERE id = %(todo_id)s AND done_at IS NULL
RETURNING id, incident_id, text, owner, due_at, by_user, created_at, done_at, done_by;
