-- Runs that are approved now and start later (docs/changes.md). A replica of a former release does not take them: `kinds` names
-- "at" besides their steps.

ALTER TABLE chatops.runs ADD COLUMN start_at timestamptz;
COMMENT ON COLUMN chatops.runs.start_at IS 'Not before this moment; null: as soon as it is approved.';

-- As before, but a run with a time of its own starts then, and its approval lasts until after that.
CREATE OR REPLACE FUNCTION chatops.check_run_move() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_given bigint;
    v_denied boolean;
BEGIN
    IF NOT chatops.run_may_become(OLD.state, NEW.state) THEN
        PERFORM chatops.refuse(format('a run cannot go from %s to %s', OLD.state, NEW.state));
    END IF;
    IF NEW.state IN ('awaiting_approval', 'approved', 'running') AND OLD.started_at IS NULL AND OLD.expires_at <= v_now THEN
        PERFORM chatops.refuse('the request has expired');
    END IF;
    CASE NEW.state
        WHEN 'approved' THEN
            SELECT count(*) FILTER (WHERE approve), coalesce(bool_or(NOT approve), false)
            INTO v_given, v_denied
            FROM chatops.run_decisions WHERE run_id = NEW.id;
            IF v_denied OR (v_given < NEW.approvals_needed AND NOT EXISTS (
                SELECT FROM chatops.lone_starts AS lone WHERE lone.run_id = NEW.id AND lone.starts_at <= v_now)) THEN
                PERFORM chatops.refuse('the run is not approved by as many people as it needs');
            END IF;
            NEW.approved_at := v_now;
            -- As long again, to start; counted from its time where it has one.
            NEW.expires_at := greatest(v_now, NEW.start_at) + (OLD.expires_at - OLD.created_at);
        WHEN 'running' THEN
            IF OLD.started_at IS NULL AND NEW.start_at > v_now THEN
                PERFORM chatops.refuse('its time has not come');
            END IF;
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
