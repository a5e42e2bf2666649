-- Jobs whose worker is gone. A statement of its own: a claim that also looks for stale locks cannot use its index.
--
--   ops.reap_jobs(p_job_types text[], p_lock_timeout interval, p_limit integer = 100)
--       -> (id, status) of each job that was taken from a worker which has been silent for so long: 'pending', due at
--          once, or 'failed' when that was the last attempt. A job of a worker that beats is never taken, however long.

CREATE FUNCTION ops.reap_jobs(p_job_types text[], p_lock_timeout interval, p_limit integer DEFAULT 100)
RETURNS TABLE (id uuid, status text)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH orphan AS (
        SELECT job.id
        FROM ops.job_queue AS job
        WHERE job.status = 'processing' AND job.job_type = ANY (p_job_types)
            AND job.locked_at < now() - p_lock_timeout
            AND NOT EXISTS (
                SELECT FROM ops.worker_heartbeats AS beat
                WHERE beat.worker_id = job.locked_by AND beat.last_heartbeat_at >= now() - p_lock_timeout
            )
        ORDER BY job.locked_at
        LIMIT p_limit
        FOR UPDATE OF job SKIP LOCKED
    )
    UPDATE ops.job_queue AS job
    SET status = CASE WHEN job.attempts < job.max_attempts THEN 'pending' ELSE 'failed' END,
        error_message = 'the worker went silent in the middle of the job',
        locked_at = NULL, locked_by = NULL, updated_at = now()
    FROM orphan
    WHERE job.id = orphan.id
    RETURNING job.id, job.status
$$;

REVOKE ALL ON FUNCTION ops.reap_jobs(text[], interval, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION ops.reap_jobs(text[], interval, integer) TO dragonfly_app;
