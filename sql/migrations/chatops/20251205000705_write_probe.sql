-- How the bot proves that the database takes its writes, where the operated system's migrations did not make it.
--
--   chatops.prove_write() -> true once a row was written and deleted again; fails as any write does when the disk is
--                            full or the database is read-only. One row a page, so that the file has to grow.

CREATE TABLE IF NOT EXISTS chatops.write_probe (filler text NOT NULL) WITH (fillfactor = 10);
COMMENT ON TABLE chatops.write_probe IS 'Always empty: the bot writes here to prove that it can.';
ALTER TABLE chatops.write_probe ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON chatops.write_probe FROM PUBLIC, anon, authenticated, dragonfly_bot;

CREATE OR REPLACE FUNCTION chatops.prove_write() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_place tid;
BEGIN
    INSERT INTO chatops.write_probe AS probe (filler) VALUES (repeat('.', 900)) RETURNING probe.ctid INTO v_place;
    DELETE FROM chatops.write_probe WHERE ctid = v_place;
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION chatops.prove_write() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION chatops.prove_write() TO dragonfly_bot;
