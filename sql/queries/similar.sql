-- affects: incident similar, and the diagnosis of an incident

-- name: note_first_alert
-- Store the alert that opened the incident, the suspected deployment, and the cause if it is known already. A later
-- call changes nothing. By primary key.
UPDATE chatops.incidents
SET
    fingerprint = %(fingerprint)s,
    deployed_at = %(deployed_at)s,
    diagnosis = %(diagnosis)s,
    diagnosed_since = %(diagnosed_since)s,
    remedy = %(remedy)s
WHERE id = %(incident_id)s AND fingerprint IS NULL;

-- name: list_similar_incidents
-- List resolved incidents of the same kind within the window before this one, newest first; no drills, no other
-- environment. `run_id`: the newest run on its services that was filed while it was unresolved and succeeded. Served by
-- incidents_fingerprint_idx and runs_created_at_idx.
SELECT
    earlier.id, earlier.opened_at, earlier.resolved_at, earlier.cause, earlier.resolved_by_user, earlier.resolved_by_team,
    (SELECT run.id
     FROM chatops.runs AS run
     WHERE run.created_at >= earlier.opened_at AND run.created_at < earlier.resolved_at
         AND run.environment = earlier.environment AND run.state = 'succeeded' AND run.services && earlier.services
     ORDER BY run.created_at DESC
     LIMIT 1) AS run_id
FROM chatops.incidents AS this
INNER JOIN chatops.incidents AS earlier
    ON earlier.fingerprint = this.fingerprint AND earlier.environment = this.environment
WHERE this.id = %(incident_id)s
    AND NOT starts_with(this.fingerprint, 'drill.')
    AND earlier.id <> this.id AND earlier.state = 'resolved'
    AND earlier.opened_at > this.opened_at - %(window)s::interval AND earlier.opened_at <= this.opened_at
ORDER BY earlier.opened_at DESC
LIMIT %(limit)s;
