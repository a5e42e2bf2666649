-- affects: runs, run, cancel, and every change

-- name: create_run
-- File a plan. Its steps follow in the same transaction. No row when this delivery has filed a run already; one that is
-- being filed is waited for. Served by runs_delivery_idx.
INSERT INTO chatops.runs (
    state, environment, playbook, parameters, plan, plan_hash, risk, title, services, requested_by_user,
    requested_by_team, reason, channel, approvals_needed, kinds, format, delivery, start_at, pages_approvers, expires_at
)
VALUES (
    %(state)s, %(environment)s, %(playbook)s, %(parameters)s, %(plan)s, %(plan_hash)s, %(risk)s, %(title)s,
    %(services)s, %(requested_by_user)s, %(requested_by_team)s, %(reason)s, %(channel)s, %(approvals_needed)s,
    %(kinds)s, %(format)s, %(delivery)s, %(start_at)s, %(pages_approvers)s, clock_timestamp() + %(expires_in)s
)
ON CONFLICT (delivery) WHERE delivery IS NOT NULL DO NOTHING
RETURNING id;

-- name: lock_requests
-- One request of a person at a time is filed, so that each sees how many others page their approvers. Held until the commit.
SELECT pg_advisory_xact_lock(hashtextextended('chatops.requests:' || %(user_id)s, 0));

-- name: list_unanswered_requests
-- Requests of one person that paged approvers recently and that no one else has decided, newest first. Those from before an
-- open SEV1 or SEV2 of the environment that another person or an alert opened do not count, nor those from before an alert
-- joined it. None that is dated ahead, by a clock that has stepped back since. Served by runs_created_at_idx, which clock_timestamp() would not let it use.
SELECT run.id
FROM chatops.runs AS run
WHERE
    run.created_at > statement_timestamp() - %(window)s::interval
    AND run.created_at <= statement_timestamp()
    AND run.created_at > coalesce(
        (SELECT max(confirmed.at)
         FROM chatops.incidents AS incident
         CROSS JOIN LATERAL (
             SELECT incident.opened_at AS at
             WHERE incident.opened_by_user IS DISTINCT FROM %(user_id)s
                 AND NOT starts_with(coalesce(incident.fingerprint, ''), 'drill.')
             UNION ALL
             SELECT alert.joined_at
             FROM chatops.incident_alerts AS alert
             WHERE alert.incident_id = incident.id AND NOT starts_with(alert.fingerprint, 'drill.')
         ) AS confirmed
         WHERE incident.state <> 'resolved' AND incident.severity IN ('sev1', 'sev2')
             AND incident.environment = %(environment)s
             AND confirmed.at <= statement_timestamp()),
        '-infinity'
    )
    AND run.requested_by_user = %(user_id)s
    AND run.approvals_needed > 0
    AND run.pages_approvers
    AND run.approved_at IS NULL
    AND NOT EXISTS (
        SELECT FROM chatops.run_decisions AS decision
        WHERE decision.run_id = run.id AND decision.user_id IS DISTINCT FROM run.requested_by_user
    )
ORDER BY run.id DESC
LIMIT %(limit)s;

-- name: count_requests
-- How many requests one person filed recently, emergency stops left out; 0 for a delivery that has filed one already. None
-- that is dated ahead, by a clock that has stepped back since. Served by runs_created_at_idx and runs_delivery_idx.
SELECT count(*)
FROM chatops.runs
WHERE created_at > statement_timestamp() - %(window)s::interval AND created_at <= statement_timestamp()
    AND requested_by_user = %(user_id)s AND risk <> 'break-glass'
    AND NOT EXISTS (SELECT FROM chatops.runs AS filed WHERE filed.delivery = %(delivery)s::text);

-- name: count_requests_after
-- How many requests of one person, filed after this one, did not page their approvers. By primary key.
SELECT count(*)
FROM chatops.runs
WHERE id > %(run_id)s AND requested_by_user IS NOT DISTINCT FROM %(user_id)s AND NOT pages_approvers;

-- name: note_traceparent
-- Where the trace of a run continues. Only while traces are on. By primary key.
UPDATE chatops.runs
SET traceparent = %(traceparent)s
WHERE id = %(run_id)s;

-- name: read_traceparent
-- The context that a run was filed in. Only while traces are on. By primary key.
SELECT traceparent
FROM chatops.runs
WHERE id = %(run_id)s;

-- name: find_run_of_delivery
-- The run that this delivery has filed. Served by runs_delivery_idx.
SELECT id
FROM chatops.runs
WHERE delivery = %(delivery)s;

-- name: create_steps
-- Lines of the journal: one pending per step, in their order, from position `first` on.
INSERT INTO chatops.run_steps (run_id, position, step)
SELECT %(run_id)s, %(first)s + step.number - 1, step.value
FROM jsonb_array_elements(%(steps)s) WITH ORDINALITY AS step (value, number);

-- name: read_run
-- One run. By primary key.
SELECT
    id, state::text AS state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
    requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, created_at, expires_at,
    approved_at, started_at, ended_at, cancel_requested_by_user, cancel_requested_by_team, outcome, start_at,
    pages_approvers
FROM chatops.runs
WHERE id = %(run_id)s;

-- name: read_steps
-- The journal of one run. By primary key.
SELECT run_id, position, step, state::text AS state, intent, evidence, note, started_at, ended_at
FROM chatops.run_steps
WHERE run_id = %(run_id)s
ORDER BY position;

-- name: list_runs
-- The latest runs. By primary key, backwards.
SELECT
    id, state::text AS state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
    requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, created_at, expires_at,
    approved_at, started_at, ended_at, cancel_requested_by_user, cancel_requested_by_team, outcome, start_at,
    pages_approvers
FROM chatops.runs
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_open_runs
-- What waits, runs or needs a person, oldest first. Served by runs_open_idx.
SELECT
    id, state::text AS state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
    requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, created_at, expires_at,
    approved_at, started_at, ended_at, cancel_requested_by_user, cancel_requested_by_team, outcome, start_at,
    pages_approvers
FROM chatops.runs
WHERE state IN ('planned', 'awaiting_approval', 'approved', 'running', 'unknown')
ORDER BY id;

-- name: transition_run
-- Compare and set: the move happens only from one of these states, and an expired approval starts nothing.
-- The triggers of chatops.runs refuse what must never be. By primary key.
UPDATE chatops.runs
SET state = %(to)s::chatops.run_state, outcome = coalesce(%(outcome)s, outcome)
WHERE id = %(run_id)s
    AND state = ANY (%(from)s::chatops.run_state[])
    AND (started_at IS NOT NULL OR expires_at > clock_timestamp()
        OR %(to)s::chatops.run_state IN ('cancelled', 'expired', 'voided'))
RETURNING id;

-- name: list_runs_to_execute
-- Approved and running ones, but for those whose time is more than a minute away, and whether the caller may claim each: it can execute it, and no replica does. A lease that is
-- stored as longer than any can be (the database's clock stepped back) is for the claim to cut. Served by runs_open_idx.
SELECT
    run.id,
    run.playbook,
    (run.state = 'running' OR run.expires_at > clock_timestamp())
    AND (run.start_at IS NULL OR run.start_at <= clock_timestamp())
    AND run.format = %(format)s
    AND run.kinds <@ %(kinds)s
    AND NOT EXISTS (
        SELECT FROM chatops.leases AS lease
        WHERE lease.name = 'run:' || run.id AND lease.until > clock_timestamp()
            AND lease.until <= clock_timestamp() + %(longest_lease)s::interval
    ) AS is_claimable
FROM chatops.runs AS run
WHERE run.state IN ('approved', 'running')
    AND (run.start_at IS NULL OR run.start_at <= clock_timestamp() + interval '1 minute')
ORDER BY run.id;

-- name: take_services
-- Take what is free of the run's services, always in the same order so that two runs never wait for each other.
INSERT INTO chatops.run_services (service, run_id)
SELECT DISTINCT wanted.service, run.id
FROM chatops.runs AS run CROSS JOIN LATERAL unnest(run.services) AS wanted (service)
WHERE run.id = %(run_id)s
ORDER BY wanted.service
ON CONFLICT (service) DO NOTHING;

-- name: list_services_not_taken
-- Those of its services that the run does not have, and who has them; null when they have become free. By primary key.
SELECT wanted.service, held.run_id
FROM chatops.runs AS run
CROSS JOIN LATERAL unnest(run.services) AS wanted (service)
LEFT JOIN chatops.run_services AS held ON held.service = wanted.service
WHERE run.id = %(run_id)s AND held.run_id IS DISTINCT FROM run.id
ORDER BY wanted.service;

-- name: give_back_services
-- Nothing is taken unless everything is.
DELETE FROM chatops.run_services
WHERE run_id = %(run_id)s;

-- name: void_waiting_runs
-- Another run starts on the same services: what waits for one of them was planned on facts that are about to change; only
-- those of one playbook when it changes nothing that others rest on. What starts later is planned again then, and left
-- alone unless it says otherwise. Served by runs_open_idx.
UPDATE chatops.runs
SET state = 'voided', outcome = %(outcome)s
WHERE id IN (
    SELECT waiting.id
    FROM chatops.runs AS waiting
    WHERE waiting.state IN ('planned', 'awaiting_approval', 'approved')
        AND waiting.services && %(services)s
        AND waiting.id <> %(except_run)s
        AND (%(only_playbook)s::text IS NULL OR waiting.playbook = %(only_playbook)s)
        AND (%(scheduled)s OR waiting.start_at IS NULL OR waiting.start_at <= clock_timestamp())
    ORDER BY waiting.id
    FOR NO KEY UPDATE
)
RETURNING id;

-- name: read_expiry_wait
-- Seconds until the next run expires that is not started; null when none can. Served by runs_open_idx.
SELECT extract(EPOCH FROM min(expires_at) - clock_timestamp())::float8 AS wait_s
FROM chatops.runs
WHERE state IN ('planned', 'awaiting_approval', 'approved');

-- name: expire_runs
-- Not decided in time, or not started in time. Served by runs_open_idx.
UPDATE chatops.runs
SET
    state = 'expired',
    outcome = CASE state
        WHEN 'approved' THEN 'approved, but not started in time'
        WHEN 'planned' THEN 'not confirmed in time'
        ELSE 'not approved in time'
    END
WHERE id IN (
    SELECT waiting.id
    FROM chatops.runs AS waiting
    WHERE waiting.state IN ('planned', 'awaiting_approval', 'approved') AND waiting.expires_at <= clock_timestamp()
    ORDER BY waiting.id
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id;

-- name: request_cancel
-- The first cancellation counts; the run engine sees it at the next boundary. By primary key.
UPDATE chatops.runs
SET cancel_requested_by_user = %(user_id)s, cancel_requested_by_team = %(team_id)s
WHERE id = %(run_id)s
    AND state IN ('planned', 'awaiting_approval', 'approved', 'running', 'unknown')
    AND cancel_requested_by_user IS NULL
RETURNING id;

-- name: list_runs_in_the_way
-- Started runs that hold one of these services. By primary key.
SELECT DISTINCT held.run_id
FROM chatops.run_services AS held
WHERE held.service = ANY (%(services)s) AND held.run_id <> %(except_run)s
ORDER BY held.run_id;

-- name: break_lease
-- Take a lease away from its owner: the fence of the former owner holds nothing any more. Returns for how many
-- seconds an act that was sent under it may still take effect: never longer than a lease lasts, whatever the database's
-- clock did. By primary key.
WITH former AS (
    SELECT
        lease.name,
        extract(
            epoch FROM greatest(least(lease.until - clock_timestamp(), %(longest_lease)s::interval), interval '0')
        )::float8 AS left_s
    FROM chatops.leases AS lease
    WHERE lease.name = %(name)s
    FOR UPDATE
)
UPDATE chatops.leases AS held
SET owner = %(owner)s, epoch = held.epoch + 1, until = clock_timestamp()
FROM former
WHERE held.name = former.name
RETURNING former.left_s;

-- name: intend_step
-- Write down what is about to be sent, under the fence: the lease is alive, ours, and stays so until the commit. Once
-- for each epoch, so that only a successor may intend what was intended before. By primary keys.
WITH fence AS (
    SELECT lease.epoch
    FROM chatops.leases AS lease
    WHERE lease.name = 'run:' || %(run_id)s::bigint AND lease.owner = %(owner)s AND lease.epoch = %(epoch)s
        AND lease.until > clock_timestamp()
    FOR SHARE
)
UPDATE chatops.run_steps AS step
SET state = 'intended', epoch = fence.epoch, intent = %(intent)s
FROM fence, chatops.runs AS run
WHERE step.run_id = %(run_id)s AND step.position = %(position)s
    AND (step.state = 'pending' OR (step.state = 'intended' AND step.epoch < fence.epoch))
    AND run.id = step.run_id AND run.state = 'running'
RETURNING step.position;

-- name: start_step
-- What only looks or waits has begun, or an act was sent and its effect is awaited; repeating it does no harm. Under
-- the same fence. By primary keys.
WITH fence AS (
    SELECT lease.epoch
    FROM chatops.leases AS lease
    WHERE lease.name = 'run:' || %(run_id)s::bigint AND lease.owner = %(owner)s AND lease.epoch = %(epoch)s
        AND lease.until > clock_timestamp()
    FOR SHARE
)
UPDATE chatops.run_steps AS step
SET state = 'running'
FROM fence, chatops.runs AS run
WHERE step.run_id = %(run_id)s AND step.position = %(position)s
    AND step.state IN ('pending', 'intended', 'running')
    AND run.id = step.run_id AND run.state = 'running'
RETURNING step.position;

-- name: finish_step
-- The outcome of a step, with what proves it. Under the same fence. By primary keys.
WITH fence AS (
    SELECT lease.epoch
    FROM chatops.leases AS lease
    WHERE lease.name = 'run:' || %(run_id)s::bigint AND lease.owner = %(owner)s AND lease.epoch = %(epoch)s
        AND lease.until > clock_timestamp()
    FOR SHARE
)
UPDATE chatops.run_steps AS step
SET state = %(state)s::chatops.step_state, evidence = %(evidence)s, note = %(note)s
FROM fence, chatops.runs AS run
WHERE step.run_id = %(run_id)s AND step.position = %(position)s
    AND chatops.step_may_become(step.state, %(state)s::chatops.step_state) AND step.state <> 'unknown'
    AND run.id = step.run_id AND run.state = 'running'
RETURNING step.position;

-- name: resolve_unknown_step
-- A person settles a step that could not be read back. By primary keys.
UPDATE chatops.run_steps AS step
SET state = %(state)s::chatops.step_state, note = %(note)s
FROM chatops.runs AS run
WHERE step.run_id = %(run_id)s AND step.position = %(position)s AND step.state = 'unknown'
    AND run.id = step.run_id AND run.state = 'unknown'
RETURNING step.position;

-- name: prune_run_steps
-- The steps of some runs that ended long ago; runs one after the other by primary key, because few have any that are old.
SELECT chatops.prune_run_steps(%(older_than)s::interval, %(limit)s);
