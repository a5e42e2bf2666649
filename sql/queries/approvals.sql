-- affects: every change

-- name: record_decision
-- Record a person's decision on the plan that waits for it, one per person. No row if the run does not wait for a
-- decision, has expired or has another plan, or if the person has decided already. The run is locked, so that of two
-- people who decide at the same time the second counts the first. By primary key.
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
-- List the decisions on the run, oldest first. By primary key.
SELECT run_id, user_id, team_id, approve, reason, plan_hash, policy_hash, decided_at
FROM chatops.run_decisions
WHERE run_id = %(run_id)s
ORDER BY decided_at, user_id;

-- name: lock_run
-- Lock the run until this transaction ends; return the database's time after any wait. No row if there is no such run.
-- By primary key.
SELECT clock_timestamp()
FROM chatops.runs
WHERE id = %(run_id)s
FOR NO KEY UPDATE;
