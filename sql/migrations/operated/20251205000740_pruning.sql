-- What the workers delete of their own, some rows at a time; nothing that is still to be done, and nothing young.
--
--   ops.prune_jobs(p_completed_for interval, p_failed_for interval, p_limit integer)
--   ops.prune_intake_logs(p_older_than interval, p_limit integer)
--   intake.prune_raw_rows(p_older_than interval, p_limit integer)
--       rows as uploaded, of batches that were completed so long ago; batch, judgments and counts stay
--       -> how many rows are gone. NULL for an age: keep all. Rows that somebody has locked are left for the next time, and
--          only one worker prunes a table at a time

CREATE FUNCTION ops.prune_jobs(p_completed_for interval, p_failed_for interval, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_deleted bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('ops.prune_jobs', 0)) THEN
        RETURN 0;
    END IF;
    DELETE FROM ops.job_queue
    WHERE id = ANY (ARRAY(
        SELECT job.id
        FROM ops.job_queue AS job
        WHERE job.updated_at < now() - greatest(least(p_completed_for, p_failed_for), interval '1 day')
            AND (
                -- greatest() passes over NULL, which keeps all.
                (
                    job.status = 'completed' AND p_completed_for IS NOT NULL
                    AND job.updated_at < now() - greatest(p_completed_for, interval '1 day')
                )
                OR (
                    job.status = 'failed' AND p_failed_for IS NOT NULL
                    AND job.updated_at < now() - greatest(p_failed_for, interval '1 day')
                )
            )
        ORDER BY job.updated_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;

CREATE FUNCTION ops.prune_intake_logs(p_older_than interval, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_deleted bigint;
BEGIN
    IF p_older_than IS NULL OR NOT pg_try_advisory_xact_lock(hashtextextended('ops.prune_intake_logs', 0)) THEN
        RETURN 0;
    END IF;
    DELETE FROM ops.intake_logs
    WHERE id = ANY (ARRAY(
        SELECT event.id
        FROM ops.intake_logs AS event
        WHERE event.created_at < now() - greatest(p_older_than, interval '1 day')
        ORDER BY event.created_at
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;

CREATE FUNCTION intake.prune_raw_rows(p_older_than interval, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_deleted bigint;
BEGIN
    IF p_older_than IS NULL OR NOT pg_try_advisory_xact_lock(hashtextextended('intake.prune_raw_rows', 0)) THEN
        RETURN 0;
    END IF;
    DELETE FROM intake.simplicity_raw_rows AS raw
    USING (
        SELECT old.batch_id, old.row_number
        FROM intake.simplicity_raw_rows AS old
        JOIN intake.simplicity_batches AS batch ON batch.id = old.batch_id
        WHERE old.created_at < now() - greatest(p_older_than, interval '1 day')
            AND batch.status = 'completed'
            AND batch.completed_at < now() - greatest(p_older_than, interval '1 day')
        ORDER BY old.created_at
        LIMIT p_limit
        FOR UPDATE OF old SKIP LOCKED
    ) AS gone
    WHERE raw.batch_id = gone.batch_id AND raw.row_number = gone.row_number;
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END
$$;

REVOKE ALL ON FUNCTION
    ops.prune_jobs(interval, interval, integer), ops.prune_intake_logs(interval, integer),
    intake.prune_raw_rows(interval, integer)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
    ops.prune_jobs(interval, interval, integer), ops.prune_intake_logs(interval, integer),
    intake.prune_raw_rows(interval, integer)
    TO dragonfly_app;
