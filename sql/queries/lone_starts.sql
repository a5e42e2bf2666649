-- affects: self-approval

-- name: page_approvers
-- Record that the approvers are paged; the request may be self-approved after `silence`. By primary key.
INSERT INTO chatops.lone_starts (run_id, incident_id, open_at)
VALUES (%(run_id)s, %(incident_id)s, clock_timestamp() + %(silence)s);

-- name: read_lone_start
-- Return the self-approval of the run; no row for a request that can't be self-approved. By primary key.
SELECT run_id, incident_id, called_at, open_at, offered_at, reason, starts_at
FROM chatops.lone_starts
WHERE run_id = %(run_id)s;

-- name: begin_countdown
-- Start the countdown of a self-approval and return its end; no row if one has been started already, or the approvers
-- still have time. By primary key.
UPDATE chatops.lone_starts
SET reason = %(reason)s, starts_at = clock_timestamp() + %(countdown)s
WHERE run_id = %(run_id)s AND starts_at IS NULL AND open_at <= clock_timestamp()
RETURNING starts_at;

-- name: end_countdown
-- Cancel the countdown, as if it had never been started. By primary key.
UPDATE chatops.lone_starts
SET reason = NULL, starts_at = NULL
WHERE run_id = %(run_id)s;

-- name: note_offer
-- Record that the run's message has the button for self-approval. By primary key.
UPDATE chatops.lone_starts
SET offered_at = clock_timestamp()
WHERE run_id = %(run_id)s;

-- name: list_waiting_lone_starts
-- List the pending requests whose button is not shown yet, or whose countdown has been started. Served by runs_open_idx
-- and the primary key.
SELECT
    self_approval.run_id, self_approval.incident_id, self_approval.called_at, self_approval.open_at,
    self_approval.offered_at, self_approval.reason, self_approval.starts_at
FROM chatops.runs AS run
JOIN chatops.lone_starts AS self_approval ON self_approval.run_id = run.id
WHERE run.state = 'awaiting_approval' AND run.expires_at > clock_timestamp()
    AND (self_approval.starts_at IS NOT NULL OR self_approval.offered_at IS NULL)
ORDER BY run.id;
