-- A file is stored as it came, and its rows are judged as they are copied: each row is written once, with its verdict. Before,
-- rows were stored first, read back, and written again.
--
--   intake.simplicity_files      the bytes, in blocks; gone when the batch is completed
--   intake.simplicity_batches    `header`: the file's first row, which names the cells of `raw`;
--                                `validated_count + failed_count`: how many rows are judged so far
--   intake.simplicity_raw_rows   `raw`: the row as it stands in the file (before: JSON)

CREATE TABLE intake.simplicity_files (
    batch_id uuid NOT NULL REFERENCES intake.simplicity_batches ON DELETE CASCADE,
    block_number integer NOT NULL CHECK (block_number >= 1),
    content bytea NOT NULL,
    PRIMARY KEY (batch_id, block_number)
);
ALTER TABLE intake.simplicity_files ALTER COLUMN content SET STORAGE EXTERNAL;  -- compressing takes longer than writing
ALTER TABLE intake.simplicity_files ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON intake.simplicity_files TO dragonfly_app USING (true) WITH CHECK (true);
REVOKE ALL ON intake.simplicity_files FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, DELETE ON intake.simplicity_files TO dragonfly_app;
COMMENT ON TABLE intake.simplicity_files IS 'The uploaded files that are not judged yet, as uploaded: personal data.';

ALTER TABLE intake.simplicity_batches ADD COLUMN header text NOT NULL DEFAULT '';
ALTER TABLE intake.simplicity_raw_rows ALTER COLUMN raw TYPE text USING raw::text;
ALTER TABLE intake.simplicity_raw_rows RESET (fillfactor);

-- The same promise as a foreign key, kept once a statement: checking each of a million rows took as long as copying them.
-- Whoever stores rows or judgments of a batch holds a key share of it until the end of the transaction.
ALTER TABLE intake.simplicity_raw_rows DROP CONSTRAINT simplicity_raw_rows_batch_id_fkey;
ALTER TABLE public.judgments DROP CONSTRAINT judgments_batch_id_fkey;

CREATE FUNCTION intake.require_batches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_wanted uuid[] := ARRAY(SELECT DISTINCT batch_id FROM stored WHERE batch_id IS NOT NULL);
BEGIN
    PERFORM FROM intake.simplicity_batches WHERE id = ANY (v_wanted) FOR KEY SHARE;
    IF (SELECT count(*) FROM intake.simplicity_batches WHERE id = ANY (v_wanted)) < cardinality(v_wanted) THEN
        RAISE EXCEPTION 'a row of %.% names a batch that does not exist', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER require_batches_of_new AFTER INSERT ON intake.simplicity_raw_rows
    REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION intake.require_batches();
CREATE TRIGGER require_batches_of_changed AFTER UPDATE ON intake.simplicity_raw_rows
    REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION intake.require_batches();
CREATE TRIGGER require_batches_of_new AFTER INSERT ON public.judgments
    REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION intake.require_batches();
CREATE TRIGGER require_batches_of_changed AFTER UPDATE ON public.judgments
    REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION intake.require_batches();

CREATE FUNCTION intake.forget_batch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM intake.simplicity_raw_rows WHERE batch_id = OLD.id;
    UPDATE public.judgments SET batch_id = NULL WHERE batch_id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER forget_batch AFTER DELETE ON intake.simplicity_batches
    FOR EACH ROW EXECUTE FUNCTION intake.forget_batch();

REVOKE ALL ON FUNCTION intake.require_batches(), intake.forget_batch() FROM PUBLIC, anon, authenticated;

-- The case's number first: people look for it, and files come in its order, so that new entries lie side by side.
ALTER TABLE public.judgments DROP CONSTRAINT judgments_county_case_number_key,
    ADD CONSTRAINT judgments_case_number_county_key UNIQUE (case_number, county);

-- Counted as the rows are judged, so that nothing is left to count when the job fails.
CREATE OR REPLACE FUNCTION intake.fail_batch_with_job() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_batch_id uuid := intake.batch_id_of(NEW.payload);
BEGIN
    UPDATE intake.simplicity_batches
    SET status = 'failed', error = NEW.error_message, updated_at = now(), completed_at = now()
    WHERE id = v_batch_id AND status IN ('received', 'processing');
    IF FOUND THEN
        INSERT INTO ops.intake_logs (event_type, details)
        VALUES ('batch_failed', jsonb_build_object('batch_id', v_batch_id, 'job_id', NEW.id));
    END IF;
    RETURN NULL;
END
$$;
