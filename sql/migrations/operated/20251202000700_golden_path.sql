-- Batches of the golden path: test data of ours in a real intake (runbook, "Golden Path Validation").
--
--   intake.simplicity_batches.is_golden_path   set at the upload; such a batch is not enforced
--   intake.remove_golden_path_batch(p_batch_id uuid)
--       -> whether there was such a batch. It is gone then, with its rows, its judgments and its jobs. A batch without
--          the mark is refused (check_violation), and nothing is removed. The log of the intake stays.

ALTER TABLE intake.simplicity_batches ADD COLUMN is_golden_path boolean NOT NULL DEFAULT false;
CREATE INDEX simplicity_batches_golden_path_idx ON intake.simplicity_batches (created_at) WHERE is_golden_path;

CREATE FUNCTION intake.remove_golden_path_batch(p_batch_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_is_golden_path boolean;
BEGIN
    -- Whoever stores a judgment of this batch holds a key share of this row: after the lock none can appear any more.
    SELECT is_golden_path INTO v_is_golden_path FROM intake.simplicity_batches WHERE id = p_batch_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF NOT v_is_golden_path THEN
        RAISE EXCEPTION 'the batch is no golden path''s' USING ERRCODE = 'check_violation';
    END IF;
    DELETE FROM ops.job_queue
    WHERE idempotency_key IN ('simplicity_ingest:' || p_batch_id, 'enforcement_next_step:' || p_batch_id);
    DELETE FROM public.judgments WHERE batch_id = p_batch_id;
    DELETE FROM intake.simplicity_batches WHERE id = p_batch_id;
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION intake.remove_golden_path_batch(uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION intake.remove_golden_path_batch(uuid) TO dragonfly_bot;

-- What the checks of a golden path look at: which batch it is, how its rows stand, which jobs it has. No names.
GRANT SELECT (is_golden_path, sha256) ON intake.simplicity_batches TO dragonfly_bot;
GRANT SELECT (batch_id, row_number, status, created_at) ON intake.simplicity_raw_rows TO dragonfly_bot;
GRANT SELECT (idempotency_key) ON ops.job_queue TO dragonfly_bot;
