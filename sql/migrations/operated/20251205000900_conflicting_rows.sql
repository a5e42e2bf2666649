-- Rows that disagree about one case are told, never silently replaced.
--
--   intake.simplicity_batches.replaced_count   cases that an earlier file had with other values, which this one replaced
--   ops.intake_logs                            `batch_received` and `batch_completed` have what was noted of the file

ALTER TABLE intake.simplicity_batches
    ADD COLUMN replaced_count integer NOT NULL DEFAULT 0 CHECK (replaced_count >= 0);

COMMENT ON COLUMN intake.simplicity_batches.replaced_count IS
    'Cases of an earlier file whose values this one replaced with others.';

-- The reasons name a column and a rule, never a cell (services/ingest_worker/decide.py), so they may be counted in chat.
GRANT SELECT (replaced_count) ON intake.simplicity_batches TO dragonfly_bot;
GRANT SELECT (batch_id, status, error) ON intake.simplicity_raw_rows TO dragonfly_bot;
