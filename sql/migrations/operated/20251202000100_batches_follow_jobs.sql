-- A batch fails with its job, whoever ends the job: its worker, another one that reaps it, or a person. It used to be the
-- worker's last deed, so a batch whose worker was killed on the last attempt stayed `processing` for ever, and its file
-- counted as stored. A job that is put back into the queue takes its batch along.

CREATE FUNCTION intake.batch_id_of(p_payload jsonb) RETURNS uuid
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN p_payload ->> 'batch_id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (p_payload ->> 'batch_id')::uuid
END;

CREATE FUNCTION intake.fail_batch_with_job() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_batch_id uuid := intake.batch_id_of(NEW.payload);
BEGIN
    UPDATE intake.simplicity_batches AS batch
    SET status = 'failed', error = NEW.error_message, validated_count = counted.validated,
        failed_count = counted.failed, updated_at = now(), completed_at = now()
    FROM (
        SELECT count(*) FILTER (WHERE status = 'validated') AS validated,
               count(*) FILTER (WHERE status = 'failed') AS failed
        FROM intake.simplicity_raw_rows
        WHERE batch_id = v_batch_id
    ) AS counted
    WHERE batch.id = v_batch_id AND batch.status IN ('received', 'processing');
    IF FOUND THEN
        INSERT INTO ops.intake_logs (event_type, details)
        VALUES ('batch_failed', jsonb_build_object('batch_id', v_batch_id, 'job_id', NEW.id));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION intake.take_up_batch_with_job() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE intake.simplicity_batches
    SET status = 'received', error = NULL, updated_at = now(), completed_at = NULL
    WHERE id = intake.batch_id_of(NEW.payload) AND status = 'failed';
    RETURN NULL;
END
$$;

CREATE TRIGGER fail_batch AFTER UPDATE OF status ON ops.job_queue
    FOR EACH ROW WHEN (NEW.job_type = 'simplicity_ingest' AND NEW.status = 'failed' AND OLD.status <> 'failed')
    EXECUTE FUNCTION intake.fail_batch_with_job();
CREATE TRIGGER take_up_batch AFTER UPDATE OF status ON ops.job_queue
    FOR EACH ROW WHEN (NEW.job_type = 'simplicity_ingest' AND NEW.status = 'pending' AND OLD.status = 'failed')
    EXECUTE FUNCTION intake.take_up_batch_with_job();

REVOKE ALL ON FUNCTION intake.batch_id_of(jsonb), intake.fail_batch_with_job(), intake.take_up_batch_with_job()
    FROM PUBLIC, anon, authenticated;

-- Those that were left behind.
UPDATE intake.simplicity_batches AS batch
SET status = 'failed', error = job.error_message, updated_at = now(), completed_at = now()
FROM ops.job_queue AS job
WHERE job.job_type = 'simplicity_ingest' AND job.status = 'failed' AND batch.id = intake.batch_id_of(job.payload)
    AND batch.status IN ('received', 'processing')
    AND NOT EXISTS (
        SELECT FROM ops.job_queue AS other
        WHERE other.job_type = 'simplicity_ingest' AND other.status IN ('pending', 'processing')
            AND intake.batch_id_of(other.payload) = batch.id
    );
