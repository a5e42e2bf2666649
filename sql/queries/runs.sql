-- affects: runs, run, cancel, and every change

-- name: create_run
-- File a plan and return the run's id; its steps follow in the same transaction. No row if this delivery has filed a
-- run already; waits for one that is being filed. Served by runs_delivery_idx.
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
-- Let only one request of this person be filed at a time, until the commit, so that each sees how many others page
-- their approvers.
SELECT pg_advisory_xact_lock(hashtextextended('chatops.requests:' || %(user_id)s, 0));

-- name: list_unanswered_requests
-- List the requests of one person that paged approvers within the window and that no one else has decided, newest
-- first. Those from before the newest confirmation of an emergency do not count: another person or an alert opened an
-- unresolved SEV1 or SEV2 of the environment, or an alert joined one. Neither do requests dated in the future, because
-- the database's clock has stepped back since. Served by runs_created_at_idx, which clock_timestamp() would not allow.
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
-- Count the requests that the person filed within the window, without emergency stops; 0 for a delivery that has filed
-- one already. Requests dated in the future, because the database's clock has stepped back since, do not count. Served
-- by runs_created_at_idx and runs_delivery_idx.
SELECT count(*)
FROM chatops.runs
WHERE created_at > statement_timestamp() - %(window)s::interval AND created_at <= statement_timestamp()
    AND requested_by_user = %(user_id)s AND risk <> 'break-glass'
    AND NOT EXISTS (SELECT FROM chatops.runs AS filed WHERE filed.delivery = %(delivery)s::text);

-- name: count_requests_after
-- Count the person's requests that were filed after this run and did not page their approvers. By primary key.
SELECT count(*)
FROM chatops.runs
WHERE id > %(run_id)s AND requested_by_user IS NOT DISTINCT FROM %(user_id)s AND NOT pages_approvers;

-- name: note_traceparent
-- Store the run's trace context. Only while tracing is on. By primary key.
UPDATE chatops.runs
SET traceparent = %(traceparent)s
WHERE id = %(run_id)s;

-- name: read_traceparent
-- Return the run's trace context, null if tracing was off when it was filed. Only while tracing is on. By primary key.
SELECT traceparent
FROM chatops.runs
WHERE id = %(run_id)s;

-- name: find_run_of_delivery
-- Return the id of the run that this delivery filed; no row if there is none. Served by runs_delivery_idx.
SELECT id
FROM chatops.runs
WHERE delivery = %(delivery)s;

-- name: create_steps
-- Add pending steps to the journal in the given order, from position `first` on.
INSERT INTO chatops.run_steps (run_id, position, step)
SELECT %(run_id)s, %(first)s + step.number - 1, step.value
FROM jsonb_array_elements(%(steps)s) WITH ORDINALITY AS step (value, number);

-- name: read_run
-- Return the run; no row if there is none with this id. By primary key.
SELECT
    id, state::text AS state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
    requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, created_at, expires_at,
    approved_at, started_at, ended_at, cancel_requested_by_user, cancel_requested_by_team, outcome, start_at,
    pages_approvers
FROM chatops.runs
WHERE id = %(run_id)s;

-- name: read_steps
-- List the steps of the run in order; no row if there is no such run. By primary key.
SELECT run_id, position, step, state::text AS state, intent, evidence, note, started_at, ended_at
FROM chatops.run_steps
WHERE run_id = %(run_id)s
ORDER BY position;

-- name: list_runs
-- List the newest runs, newest first. By primary key, backwards.
SELECT
    id, state::text AS state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
    requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, created_at, expires_at,
    approved_at, started_at, ended_at, cancel_requested_by_user, cancel_requested_by_team, outcome, start_at,
    pages_approvers
FROM chatops.runs
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_open_runs
-- List the runs that have not ended, oldest first. Served by runs_open_idx.
SELECT
    id, state::text AS state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
    requested_by_user, requested_by_team, reason, channel, approvals_needed, kinds, format, created_at, expires_at,
    approved_at, started_at, ended_at, cancel_requested_by_user, cancel_requested_by_team, outcome, start_at,
    pages_approvers
FROM chatops.runs
WHERE state IN ('planned', 'awaiting_approval', 'approved', 'running', 'unknown')
ORDER BY id;

-- name: transition_run
-- Compare and set: change the run's state from one of `from` to `to`. No row if it has another state, or if it has
-- expired unstarted and `to` would approve or start it. The triggers of chatops.runs refuse invalid changes. By primary
-- key.
UPDATE chatops.runs
SET state = %(to)s::chatops.run_state, outcome = coalesce(%(outcome)s, outcome)
WHERE id = %(run_id)s
    AND state = ANY (%(from)s::chatops.run_state[])
    AND (started_at IS NOT NULL OR expires_at > clock_timestamp()
        OR %(to)s::chatops.run_state IN ('cancelled', 'expired', 'voided'))
RETURNING id;

-- name: list_runs_to_execute
-- List the approved and running runs, oldest first, except those whose start time is more than 1 minute away, with
-- whether the caller may claim each: it can be executed now, the caller knows its format and step kinds, and no replica
-- holds its lease. A stored lease that is longer than `longest_lease`, because the database's clock stepped back, does
-- not count: the claim cuts it. Served by runs_open_idx.
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
-- Take those services of the run that are free, always in the same order, so that two runs never wait for each other.
INSERT INTO chatops.run_services (service, run_id)
SELECT DISTINCT wanted.service, run.id
FROM chatops.runs AS run CROSS JOIN LATERAL unnest(run.services) AS wanted (service)
WHERE run.id = %(run_id)s
ORDER BY wanted.service
ON CONFLICT (service) DO NOTHING;

-- name: list_services_not_taken
-- List the run's services that it does not have, with the run that has them; null if they have just become free. By
-- primary key.
SELECT wanted.service, held.run_id
FROM chatops.runs AS run
CROSS JOIN LATERAL unnest(run.services) AS wanted (service)
LEFT JOIN chatops.run_services AS held ON held.service = wanted.service
WHERE run.id = %(run_id)s AND held.run_id IS DISTINCT FROM run.id
ORDER BY wanted.service;

-- name: give_back_services
-- Free the services that the run has taken: a run takes all of its services or none.
DELETE FROM chatops.run_services
WHERE run_id = %(run_id)s;

-- name: void_waiting_runs
-- Void the other plans that wait for one of these services: another run starts there and changes the facts that they
-- were made from. `only_playbook`: only plans of this playbook, for a run that changes no facts of other plans. A plan
-- whose start time has not come is planned again then, and stays unless `scheduled` is true. Served by runs_open_idx.
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
-- Seconds until the next run that is not started expires; null if none can expire. Served by runs_open_idx.
SELECT extract(EPOCH FROM min(expires_at) - clock_timestamp())::float8 AS wait_s
FROM chatops.runs
WHERE state IN ('planned', 'awaiting_approval', 'approved');

-- name: expire_runs
-- End the runs that were not confirmed, approved or started in time; those that are locked now are skipped. Served by
-- runs_open_idx.
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
-- Request the run's cancellation, which the run engine sees at its next check; no row if it was requested before or the
-- run has ended. By primary key.
UPDATE chatops.runs
SET cancel_requested_by_user = %(user_id)s, cancel_requested_by_team = %(team_id)s
WHERE id = %(run_id)s
    AND state IN ('planned', 'awaiting_approval', 'approved', 'running', 'unknown')
    AND cancel_requested_by_user IS NULL
RETURNING id;

-- name: list_runs_in_the_way
-- List the ids of started runs that hold one of these services. By primary key.
SELECT DISTINCT held.run_id
FROM chatops.run_services AS held
WHERE held.service = ANY (%(services)s) AND held.run_id <> %(except_run)s
ORDER BY held.run_id;

-- name: break_lease
-- End another owner's lease, so that its fence refuses that owner. Return for how many seconds its last act may still
-- take effect: never longer than a lease lasts, even if the database's clock stepped back. By primary key.
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
-- Store the intent of an act before it is sent, under the fence: the lease is alive and ours, and stays so until the
-- commit. At most once per epoch, so that only a successor may store it again. No row if the act may not be sent. By
-- primary keys.
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
-- Mark the step as running, under the same fence: a check or a wait has begun, or an act was sent and its effect is
-- awaited. Repeating it does no harm. By primary keys.
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
-- Store the step's outcome with its evidence, under the same fence. By primary keys.
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
-- Settle an unknown step of an unknown run as a person decided; no row if it was not unknown. By primary keys.
UPDATE chatops.run_steps AS step
SET state = %(state)s::chatops.step_state, note = %(note)s
FROM chatops.runs AS run
WHERE step.run_id = %(run_id)s AND step.position = %(position)s AND step.state = 'unknown'
    AND run.id = step.run_id AND run.state = 'unknown'
RETURNING step.position;

-- name: prune_run_steps
-- Delete the steps of old runs that have ended, `limit` runs at most, and return how many runs. Reads the runs in the
-- order of the primary key, because few have steps that are old enough.
SELECT chatops.prune_run_steps(%(older_than)s::interval, %(limit)s);
