-- Assessments are made anew when they are due, so that a deadline, a step or a score never stays behind its day.
--
--   enforcement.assessments.next_review_on   the earliest day on which more than the per diem may change (or some weeks
--                                            later); NULL where nothing changes by itself any more. What was reckoned
--                                            before this migration is due at once
--   enforcement.review_paid()                a payment makes its judgment's assessment due, however it was entered
--   ops.job_types                            one job of type enforcement_review runs at a time

ALTER TABLE enforcement.assessments ADD COLUMN next_review_on date DEFAULT current_date;
CREATE INDEX assessments_due_idx ON enforcement.assessments (next_review_on, judgment_id)
    WHERE next_review_on IS NOT NULL;

CREATE FUNCTION enforcement.review_paid() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Whoever reckons holds it shared: it has either seen these payments, or its assessments are committed by now.
    PERFORM pg_advisory_xact_lock(hashtextextended('enforcement.payments', 0));
    UPDATE enforcement.assessments
    SET next_review_on = least(next_review_on, (now() AT TIME ZONE 'America/New_York')::date)
    WHERE judgment_id IN (SELECT judgment_id FROM touched);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION enforcement.review_paid() FROM PUBLIC, anon, authenticated;

CREATE TRIGGER review_paid AFTER INSERT ON enforcement.payments
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION enforcement.review_paid();
CREATE TRIGGER review_corrected AFTER UPDATE ON enforcement.payments
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION enforcement.review_paid();
CREATE TRIGGER review_removed AFTER DELETE ON enforcement.payments
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION enforcement.review_paid();

INSERT INTO ops.job_types (job_type, max_running) VALUES ('enforcement_review', 1);
