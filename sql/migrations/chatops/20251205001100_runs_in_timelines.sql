-- Lines of a timeline that are sentences: who asked for a run, who approved, denied or cancelled it, and how it ended.

CREATE OR REPLACE FUNCTION chatops.note_run_in_incidents() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_run text := format('run %s: %s', NEW.id, NEW.title);
BEGIN
    INSERT INTO chatops.incident_events (incident_id, kind, by_user, by_team, text)
    SELECT incident.id, 'run', line.by_user, line.by_team, line.text
    FROM chatops.incidents AS incident
    CROSS JOIN (
        -- By whom it was decided; a run that one person may start has no decision.
        SELECT decision.user_id, decision.team_id, format('%s %s', CASE WHEN approve THEN 'approved' ELSE 'denied' END, v_run)
        FROM chatops.run_decisions AS decision
        WHERE TG_OP = 'UPDATE' AND decision.run_id = NEW.id
            AND ((NEW.state = 'approved' AND decision.approve) OR (NEW.state = 'cancelled' AND NOT decision.approve))
        UNION ALL
        SELECT NEW.requested_by_user, NEW.requested_by_team, format('asked for %s', v_run)
        WHERE TG_OP = 'INSERT'
        UNION ALL
        SELECT NEW.requested_by_user, NEW.requested_by_team, format('confirmed %s', v_run)
        WHERE TG_OP = 'UPDATE' AND NEW.state = 'approved' AND OLD.state = 'planned'
        UNION ALL
        SELECT NEW.requested_by_user, NEW.requested_by_team, format('self-approved %s', v_run)
        WHERE TG_OP = 'UPDATE' AND NEW.state = 'approved' AND OLD.state <> 'planned' AND NEW.approvals_needed > (
            SELECT count(*) FROM chatops.run_decisions WHERE run_id = NEW.id AND approve
        )
        UNION ALL
        SELECT NEW.cancel_requested_by_user, NEW.cancel_requested_by_team, format(
            CASE WHEN NEW.cancel_requested_by_user IS NULL THEN 'cancelled: %s' ELSE 'cancelled %s' END, v_run
        )
        WHERE TG_OP = 'UPDATE' AND NEW.state = 'cancelled' AND NOT EXISTS (
            SELECT FROM chatops.run_decisions WHERE run_id = NEW.id AND NOT approve
        )
        UNION ALL
        SELECT NULL, NULL, format(
            '%s: %s',
            CASE NEW.state
                WHEN 'running' THEN 'started'
                WHEN 'unknown' THEN 'outcome unknown'
                WHEN 'awaiting_approval' THEN 'waits for approval'
                ELSE NEW.state::text
            END,
            v_run
        )
        WHERE TG_OP = 'UPDATE' AND NEW.state NOT IN ('approved', 'cancelled')
    ) AS line (by_user, by_team, text)
    WHERE incident.state <> 'resolved'
        AND (cardinality(incident.services) = 0 OR cardinality(NEW.services) = 0 OR incident.services && NEW.services);
    RETURN NULL;
END
$$;
