-- A job of a worker whose process is gone comes back after some seconds, not after the ten minutes that a silent one gets.
--
--   ops.worker_heartbeats.sessions_seen
--       whether the server showed the session of this worker's last beat, called "<service>:<worker_id>:beat"; a pooler
--       may hide it. That one only: a job's session lives on without its process until its statement has ended
--   ops.reap_jobs(p_job_types text[], p_lock_timeout interval, p_limit integer = 100, p_gone_after interval = NULL)
--       -> as before; and when p_gone_after is given, also the jobs of a worker that said that it stopped, or that has been
--          silent for so long and whose session, seen before, is gone; not shortly after the server's own start,
--          when all sessions are new

ALTER TABLE ops.worker_heartbeats ADD COLUMN sessions_seen boolean;
COMMENT ON COLUMN ops.worker_heartbeats.sessions_seen IS
    'Whether the server showed the session of its last beat by name; a pooler may hide it.';

DROP FUNCTION ops.reap_jobs(text[], interval, integer);
CREATE FUNCTION ops.reap_jobs(
    p_job_types text[], p_lock_timeout interval, p_limit integer DEFAULT 100, p_gone_after interval DEFAULT NULL
)
RETURNS TABLE (id uuid, status text)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH orphan AS (
        SELECT job.id
        FROM ops.job_queue AS job
        LEFT JOIN ops.worker_heartbeats AS beat ON beat.worker_id = job.locked_by
        WHERE job.status = 'processing' AND job.job_type = ANY (p_job_types)
            AND (
                (
                    job.locked_at < now() - p_lock_timeout
                    AND (beat.worker_id IS NULL OR beat.last_heartbeat_at < now() - p_lock_timeout)
                )
                OR (
                    job.locked_at < now() - p_gone_after
                    AND beat.last_heartbeat_at < now() - p_gone_after
                    AND pg_postmaster_start_time() < now() - (p_gone_after + interval '15 seconds')
                    AND (
                        beat.status IN ('stopped', 'error')
                        OR (
                            beat.sessions_seen
                            AND NOT EXISTS (
                                SELECT FROM pg_stat_activity AS session
                                WHERE session.datname = current_database()
                                    AND session.application_name LIKE '%:' || job.locked_by || ':beat'
                            )
                        )
                    )
                )
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

REVOKE ALL ON FUNCTION ops.reap_jobs(text[], interval, integer, interval) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION ops.reap_jobs(text[], interval, integer, interval) TO dragonfly_app;
