-- Runs: plans that people approved, what was decided about them, and the journal of their steps (DESIGN §4, §5).
-- The triggers keep both state machines of docs/states.md, whoever writes.
--
--   chatops.runs           one row a plan that was filed
--   chatops.run_steps      its steps; `intent` is written before an act is sent, `evidence` after
--   chatops.run_services   what a run has taken: one run a service, from its start to its end
--   chatops.run_decisions  one row a person and run: approved or denied, on which plan and under which policy
--   NOTIFY chatops_runs, '<run id>' when a run or a wish to cancel it changes

CREATE TYPE chatops.run_state AS ENUM (
    'planned', 'awaiting_approval', 'approved', 'running', 'succeeded', 'failed', 'cancelled', 'expired', 'voided', 'unknown'
);
CREATE TYPE chatops.step_state AS ENUM (
    'pending', 'intended', 'running', 'done', 'not_proved', 'failed', 'unknown', 'skipped'
);

CREATE TABLE chatops.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state chatops.run_state NOT NULL,
    environment text NOT NULL CHECK (environment <> ''),
    playbook text NOT NULL CHECK (playbook <> ''),
    parameters jsonb NOT NULL CHECK (jsonb_typeof(parameters) = 'object'),
    plan jsonb NOT NULL CHECK (jsonb_typeof(plan) = 'object'),
    plan_hash text NOT NULL CHECK (plan_hash ~ '^[0-9a-f]{64}$'),
    risk text NOT NULL CHECK (risk IN ('low', 'high', 'critical', 'break-glass')),
    title text NOT NULL CHECK (title <> ''),
    services text[] NOT NULL,                                -- taken at the start, see run_services
    requested_by_user text,                                  -- null: from a terminal, by nobody Slack knows
    requested_by_team text,
    reason text NOT NULL,
    channel text NOT NULL CHECK (channel <> ''),
    approvals_needed smallint NOT NULL CHECK (approvals_needed BETWEEN 0 AND 9),
    kinds text[] NOT NULL CHECK (cardinality(kinds) > 0),    -- of its steps: a replica takes only what it knows
    format integer NOT NULL CHECK (format > 0),              -- of the stored plan
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,                         -- of the request; once approved, of the approval
    approved_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    cancel_requested_by_user text,
    cancel_requested_by_team text,
    outcome text,
    CHECK ((requested_by_user IS NULL) = (requested_by_team IS NULL)),
    CHECK ((cancel_requested_by_user IS NULL) = (cancel_requested_by_team IS NULL)),
    CHECK (expires_at > created_at),
    CHECK (approved_at IS NOT NULL OR state NOT IN ('approved', 'running', 'succeeded', 'failed', 'unknown')),
    CHECK (started_at IS NOT NULL OR state NOT IN ('running', 'succeeded', 'failed', 'unknown')),
    CHECK ((ended_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled', 'expired', 'voided')))
);
-- Finished runs are kept for ever and are in no index but the primary key.
CREATE INDEX runs_open_idx ON chatops.runs (state, id)
    WHERE state IN ('planned', 'awaiting_approval', 'approved', 'running', 'unknown');

CREATE TABLE chatops.run_steps (
    run_id bigint NOT NULL REFERENCES chatops.runs (id),
    position smallint NOT NULL CHECK (position >= 0),
    step jsonb NOT NULL CHECK (jsonb_typeof(step) = 'object'),
    state chatops.step_state NOT NULL DEFAULT 'pending',
    epoch bigint,                                            -- of the lease under which `intent` was written
    intent jsonb,
    evidence jsonb,
    note text,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (run_id, position),
    CHECK ((intent IS NULL) = (epoch IS NULL)),
    CHECK (state <> 'intended' OR intent IS NOT NULL)
);

CREATE TABLE chatops.run_services (
    service text PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES chatops.runs (id),
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE chatops.run_decisions (
    run_id bigint NOT NULL REFERENCES chatops.runs (id),
    user_id text NOT NULL CHECK (user_id <> ''),
    team_id text NOT NULL CHECK (team_id <> ''),
    approve boolean NOT NULL,
    reason text NOT NULL,
    plan_hash text NOT NULL,                                 -- what the person was shown
    policy_hash text NOT NULL CHECK (policy_hash <> ''),     -- what let them decide
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, user_id, team_id)
);

CREATE FUNCTION chatops.is_final(run_state chatops.run_state) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN run_state IN ('succeeded', 'failed', 'cancelled', 'expired', 'voided');

-- The state machine of a run: the same pairs as TRANSITIONS in services/domain/runs.py.
CREATE FUNCTION chatops.run_may_become(old_state chatops.run_state, new_state chatops.run_state) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE old_state
    WHEN 'planned' THEN new_state IN ('awaiting_approval', 'approved', 'cancelled', 'expired', 'voided')
    WHEN 'awaiting_approval' THEN new_state IN ('approved', 'cancelled', 'expired', 'voided')
    WHEN 'approved' THEN new_state IN ('running', 'cancelled', 'expired', 'voided')
    WHEN 'running' THEN new_state IN ('succeeded', 'failed', 'cancelled', 'unknown', 'voided')
    WHEN 'unknown' THEN new_state IN ('running', 'failed', 'cancelled')
    ELSE false
END;

-- The state machine of a step: the same pairs as STEP_TRANSITIONS in services/domain/runs.py.
CREATE FUNCTION chatops.step_may_become(old_state chatops.step_state, new_state chatops.step_state) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE old_state
    WHEN 'pending' THEN new_state IN ('intended', 'running', 'skipped')
    WHEN 'intended' THEN new_state IN ('running', 'done', 'not_proved', 'failed', 'unknown', 'skipped')
    WHEN 'running' THEN new_state IN ('done', 'not_proved', 'failed', 'unknown', 'skipped')
    WHEN 'unknown' THEN new_state IN ('done', 'pending', 'failed')
    ELSE false
END;

CREATE FUNCTION chatops.refuse(what text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '%', what USING ERRCODE = 'check_violation';
END
$$;

CREATE FUNCTION chatops.check_new_run() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.state NOT IN ('planned', 'awaiting_approval', 'approved') THEN
        PERFORM chatops.refuse(format('a run cannot begin as %s', NEW.state));
    END IF;
    IF NEW.state = 'approved' AND NEW.approvals_needed > 0 THEN
        PERFORM chatops.refuse('a run that needs approvals cannot begin as approved');
    END IF;
    IF NEW.state = 'approved' THEN
        NEW.approved_at := NEW.created_at;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_new_run BEFORE INSERT ON chatops.runs FOR EACH ROW EXECUTE FUNCTION chatops.check_new_run();

-- What has to be true before a run may enter a state, and the times that go with it.
CREATE FUNCTION chatops.check_run_move() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    IF NOT chatops.run_may_become(OLD.state, NEW.state) THEN
        PERFORM chatops.refuse(format('a run cannot go from %s to %s', OLD.state, NEW.state));
    END IF;
    IF NEW.state IN ('awaiting_approval', 'approved', 'running') AND OLD.started_at IS NULL AND OLD.expires_at <= v_now THEN
        PERFORM chatops.refuse('the request has expired');
    END IF;
    CASE NEW.state
        WHEN 'approved' THEN
            IF (SELECT count(*) FILTER (WHERE approve) < NEW.approvals_needed OR bool_or(NOT approve)
                FROM chatops.run_decisions WHERE run_id = NEW.id) THEN
                PERFORM chatops.refuse('the run is not approved by as many people as it needs');
            END IF;
            NEW.approved_at := v_now;
            NEW.expires_at := v_now + (OLD.expires_at - OLD.created_at);  -- as long again, to start
        WHEN 'running' THEN
            IF EXISTS (SELECT FROM unnest(NEW.services) AS wanted (service)
                       WHERE NOT EXISTS (SELECT FROM chatops.run_services AS held
                                         WHERE held.service = wanted.service AND held.run_id = NEW.id)) THEN
                PERFORM chatops.refuse('the run has not taken its services');
            END IF;
            IF EXISTS (SELECT FROM chatops.run_steps WHERE run_id = NEW.id AND state = 'unknown') THEN
                PERFORM chatops.refuse('a step is unknown still');
            END IF;
            NEW.started_at := coalesce(OLD.started_at, v_now);
        WHEN 'succeeded' THEN
            IF EXISTS (SELECT FROM chatops.run_steps
                       WHERE run_id = NEW.id AND state IN ('pending', 'intended', 'running', 'unknown')) THEN
                PERFORM chatops.refuse('a step has not ended');
            END IF;
        WHEN 'voided' THEN
            IF EXISTS (SELECT FROM chatops.run_steps WHERE run_id = NEW.id AND state <> 'pending') THEN
                PERFORM chatops.refuse('a step has begun');
            END IF;
        ELSE
            NULL;
    END CASE;
    IF chatops.is_final(NEW.state) THEN
        NEW.ended_at := v_now;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_run_move BEFORE UPDATE OF state ON chatops.runs
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION chatops.check_run_move();

-- The end of a run: its services are free, what had not begun is skipped, and what was under way when the run was
-- stopped from outside stays unknown, because nobody looked at how it ended.
CREATE FUNCTION chatops.close_run() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM chatops.run_services WHERE run_id = NEW.id;
    UPDATE chatops.run_steps
    SET state = CASE WHEN state = 'pending' THEN 'skipped' ELSE 'unknown' END::chatops.step_state
    WHERE run_id = NEW.id AND state IN ('pending', 'intended', 'running');
    RETURN NULL;
END
$$;
CREATE TRIGGER close_run AFTER UPDATE OF state ON chatops.runs
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND chatops.is_final(NEW.state)) EXECUTE FUNCTION chatops.close_run();

CREATE FUNCTION chatops.announce_run() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('chatops_runs', NEW.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER announce_run AFTER INSERT OR UPDATE OF state, cancel_requested_by_user ON chatops.runs
    FOR EACH ROW EXECUTE FUNCTION chatops.announce_run();

CREATE FUNCTION chatops.check_new_step() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.state <> 'pending' THEN
        PERFORM chatops.refuse(format('a step cannot begin as %s', NEW.state));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_new_step BEFORE INSERT ON chatops.run_steps
    FOR EACH ROW EXECUTE FUNCTION chatops.check_new_step();

CREATE FUNCTION chatops.check_step_move() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    IF NOT chatops.step_may_become(OLD.state, NEW.state) THEN
        PERFORM chatops.refuse(format('a step cannot go from %s to %s', OLD.state, NEW.state));
    END IF;
    IF NEW.state IN ('intended', 'running') THEN
        NEW.started_at := coalesce(OLD.started_at, v_now);
    ELSIF NEW.state = 'pending' THEN
        NEW.started_at := NULL;
        NEW.ended_at := NULL;
    ELSE
        NEW.ended_at := v_now;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_step_move BEFORE UPDATE OF state ON chatops.run_steps
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION chatops.check_step_move();

-- A decision counts on what is waiting for it, and on nothing else.
CREATE FUNCTION chatops.check_decision() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM chatops.runs
                   WHERE id = NEW.run_id AND state = 'awaiting_approval' AND plan_hash = NEW.plan_hash
                     AND expires_at > clock_timestamp()) THEN
        PERFORM chatops.refuse('this plan does not wait for a decision');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_decision BEFORE INSERT ON chatops.run_decisions
    FOR EACH ROW EXECUTE FUNCTION chatops.check_decision();

-- What was planned, decided and written down stays: nobody deletes it, and of a run only its progress changes.
REVOKE ALL ON chatops.runs, chatops.run_steps, chatops.run_decisions FROM dragonfly_bot;
GRANT SELECT, INSERT,
    UPDATE (state, outcome, cancel_requested_by_user, cancel_requested_by_team) ON chatops.runs TO dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (state, epoch, intent, evidence, note) ON chatops.run_steps TO dragonfly_bot;
GRANT SELECT, INSERT ON chatops.run_decisions TO dragonfly_bot;
REVOKE UPDATE ON chatops.run_services FROM dragonfly_bot;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA chatops FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chatops.is_final(chatops.run_state),
    chatops.run_may_become(chatops.run_state, chatops.run_state),
    chatops.step_may_become(chatops.step_state, chatops.step_state), chatops.refuse(text) TO dragonfly_bot;
