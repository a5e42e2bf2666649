-- What runs do while an incident is open is part of its timeline, whoever asked for them and from wherever.

CREATE FUNCTION chatops.note_run_in_incidents() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO chatops.incident_events (incident_id, kind, by_user, by_team, text)
    SELECT
        incident.id, 'run',
        CASE WHEN TG_OP = 'INSERT' THEN NEW.requested_by_user END,
        CASE WHEN TG_OP = 'INSERT' THEN NEW.requested_by_team END,
        format('run %s, %s: %s', NEW.id, replace(NEW.state::text, '_', ' '), NEW.title)
    FROM chatops.incidents AS incident
    WHERE incident.state <> 'resolved'
        AND (cardinality(incident.services) = 0 OR cardinality(NEW.services) = 0 OR incident.services && NEW.services);
    RETURN NULL;
END
$$;
CREATE TRIGGER note_run_in_incidents_when_filed AFTER INSERT ON chatops.runs
    FOR EACH ROW EXECUTE FUNCTION chatops.note_run_in_incidents();
CREATE TRIGGER note_run_in_incidents_when_moved AFTER UPDATE OF state ON chatops.runs
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION chatops.note_run_in_incidents();
REVOKE EXECUTE ON FUNCTION chatops.note_run_in_incidents() FROM PUBLIC;
