-- affects: self-approval

-- name: page_approvers
-- The approvers are paged now; from then on the requester waits for them. By primary key.
INSERT INTO chatops.lone_starts (run_id, incident_id, open_at)
VALUES (%(run_id)s, %(incident_id)s, clock_timestamp() + %(silence)s);

-- name: read_lone_start
-- By primary key.
SELECT run_id, incident_id, called_at, open_at, offered_at, reason, starts_at
FROM chatops.lone_starts
WHERE run_id = %(run_id)s;

-- name: begin_countdown
-- The requester self-approves: once, and not before the approvers had their time. By primary key.
UPDATE chatops.lone_starts
SET reason = %(reason)s, starts_at = clock_timestamp() + %(countdown)s
WHERE run_id = %(run_id)s AND starts_at IS NULL AND open_at <= clock_timestamp()
RETURNING starts_at;

-- name: end_countdown
-- Who began it may not start it any more. By primary key.
UPDATE chatops.lone_starts
SET reason = NULL, starts_at = NULL
WHERE run_id = %(run_id)s;

-- name: note_offer
-- The run's message has the button now. By primary key.
UPDATE chatops.lone_starts
SET offered_at = clock_timestamp()
WHERE run_id = %(run_id)s;

-- name: list_waiting_lone_starts
-- Requests that still wait, for their button or for the end of a countdown. Served by runs_open_idx and the primary key.
SELECT
    self_approval.run_id, self_approval.incident_id, self_approval.called_at, self_approval.open_at,
    self_approval.offered_at, self_approval.reason, self_approval.starts_at
FROM chatops.runs AS run
JOIN chatops.lone_starts AS self_approval ON self_approval.run_id = run.id
WHERE run.state = 'awaiting_approval' AND run.expires_at > clock_timestamp()
    AND (self_approval.starts_at IS NOT NULL OR self_approval.offered_at IS NULL)
ORDER BY run.id;
