-- affects: every change

-- name: record_decision
-- One decision a person, on the plan that waits for it. The run is locked, so that of two who decide in the same instant
-- the second counts the first. By primary key.
WITH waiting AS (
    SELECT run.id
    FROM chatops.runs AS run
    WHERE run.id = %(run_id)s AND run.state = 'awaiting_approval' AND run.plan_hash = %(plan_hash)s
        AND run.expires_at > clock_timestamp()
    FOR NO KEY UPDATE
)
INSERT INTO chatops.run_decisions (run_id, user_id, team_id, approve, reason, plan_hash, policy_hash)
SELECT waiting.id, %(user_id)s, %(team_id)s, %(approve)s, %(reason)s, %(plan_hash)s, %(policy_hash)s
FROM waiting
ON CONFLICT (run_id, user_id, team_id) DO NOTHING
RETURNING run_id;

-- name: list_decisions
-- What was decided about one run, in that order. By primary key.
SELECT run_id, user_id, team_id, approve, reason, plan_hash, policy_hash, decided_at
FROM chatops.run_decisions
WHERE run_id = %(run_id)s
ORDER BY decided_at, user_id;

-- name: lock_run
-- Locks the run until this transaction ends; the time is the one after any wait. By primary key.
SELECT clock_timestamp()
FROM chatops.runs
WHERE id = %(run_id)s
FOR NO KEY UPDATE;
