-- Starting a change alone, inside an incident, when every approver stays silent (DESIGN §5).
--
--   chatops.lone_starts   one row a request for which the approvers were called. From `open_at` on who asked may begin the
--                         countdown, which ends at `starts_at`; a denial until then is the veto, and ends the run.

CREATE TABLE chatops.lone_starts (
    run_id bigint PRIMARY KEY REFERENCES chatops.runs (id),
    incident_id bigint NOT NULL REFERENCES chatops.incidents (id),
    called_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- mentioned, messaged and paged
    open_at timestamptz NOT NULL,
    offered_at timestamptz,                                    -- the run's message has the button since
    reason text CHECK (reason <> ''),
    starts_at timestamptz,
    CHECK (open_at > called_at),
    CHECK ((reason IS NULL) = (starts_at IS NULL)),
    CHECK (starts_at > open_at)
);
REVOKE ALL ON chatops.lone_starts FROM dragonfly_bot;
GRANT SELECT, INSERT (run_id, incident_id, open_at), UPDATE (offered_at, reason, starts_at)
    ON chatops.lone_starts TO dragonfly_bot;

-- As before, but a run that nobody denied is approved too when its countdown is over.
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
