-- Two words that said more, or less, than is known.
--
-- `planned` is what only its requester has to confirm: nobody else is asked, so it never comes to await an approval.
-- A step that only looked or waited when its run was stopped from outside has nothing unknown about it: it was stopped.
-- Unknown is only what was intended, because it may have been sent.

CREATE OR REPLACE FUNCTION chatops.run_may_become(old_state chatops.run_state, new_state chatops.run_state) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE old_state
    WHEN 'planned' THEN new_state IN ('approved', 'cancelled', 'expired', 'voided')
    WHEN 'awaiting_approval' THEN new_state IN ('approved', 'cancelled', 'expired', 'voided')
    WHEN 'approved' THEN new_state IN ('running', 'cancelled', 'expired', 'voided')
    WHEN 'running' THEN new_state IN ('succeeded', 'failed', 'cancelled', 'unknown', 'voided')
    WHEN 'unknown' THEN new_state IN ('running', 'failed', 'cancelled')
    ELSE false
END;

CREATE OR REPLACE FUNCTION chatops.close_run() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM chatops.run_services WHERE run_id = NEW.id;
    UPDATE chatops.run_steps
    SET state = CASE WHEN intent IS NULL THEN 'skipped' ELSE 'unknown' END::chatops.step_state
    WHERE run_id = NEW.id AND state IN ('pending', 'intended', 'running');
    RETURN NULL;
END
$$;
