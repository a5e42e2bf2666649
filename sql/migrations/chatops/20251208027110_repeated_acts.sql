-- One person's repetitions stay bounded: how often someone did something of late is counted, and what they repeat is added
-- to a line of the timeline that they have.

CREATE INDEX audit_actor_idx ON chatops.audit (actor, event, at);

ALTER TABLE chatops.incident_events
ADD COLUMN more text NOT NULL DEFAULT '', ADD COLUMN repeats integer NOT NULL DEFAULT 0 CHECK (repeats >= 0);
COMMENT ON COLUMN chatops.incident_events.more IS 'What was added to the text since.';
COMMENT ON COLUMN chatops.incident_events.repeats IS 'How many further reports of the same person the line holds.';

-- What was written stays: a line only grows.
CREATE FUNCTION chatops.check_repeat() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT starts_with(NEW.more, OLD.more) OR NEW.repeats <= OLD.repeats THEN
        PERFORM chatops.refuse('a line of a timeline only grows');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_repeat BEFORE UPDATE ON chatops.incident_events
FOR EACH ROW EXECUTE FUNCTION chatops.check_repeat();
REVOKE EXECUTE ON FUNCTION chatops.check_repeat() FROM PUBLIC;
GRANT UPDATE (more, repeats) ON chatops.incident_events TO dragonfly_bot;
