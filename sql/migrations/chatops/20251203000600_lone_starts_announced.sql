-- The leader sleeps until the next lone start is due: a countdown that begins or ends wakes it. A new request does so by
-- the notice of its run (announce_run).

CREATE FUNCTION chatops.announce_lone_start() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('chatops_runs', NEW.run_id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER announce_lone_start AFTER UPDATE OF starts_at ON chatops.lone_starts
    FOR EACH ROW EXECUTE FUNCTION chatops.announce_lone_start();

REVOKE ALL ON FUNCTION chatops.announce_lone_start() FROM PUBLIC, anon, authenticated;
