-- How an operator puts jobs back into the queue. Runs as the owner, so that the bot needs no UPDATE on the queue.
--
--   ops.requeue_jobs(p_job_ids uuid[], p_stale_after interval)
--       -> the ids that are pending again; the others stay as they are: pending or completed already, unknown, or in
--          the hands of a worker that beats. `p_stale_after`: the age at which a beat no longer counts

CREATE FUNCTION ops.requeue_jobs(p_job_ids uuid[], p_stale_after interval)
RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE ops.job_queue AS job
    SET status = 'pending',
        run_at = now(),
        max_attempts = greatest(job.max_attempts, job.attempts + 1),  -- one more try at least; attempts are kept
        locked_at = NULL,
        locked_by = NULL,
        updated_at = now()
    WHERE job.id = ANY (p_job_ids)
        AND (
            job.status = 'failed'
            OR (
                job.status = 'processing'
                AND NOT EXISTS (
                    SELECT FROM ops.worker_heartbeats AS beat
                    WHERE beat.worker_id = job.locked_by
                        AND beat.status <> 'stopped'
                        -- Never less than two beats, whatever the caller says: slow is not dead.
                        AND beat.last_heartbeat_at
                            >= now() - greatest(coalesce(p_stale_after, '5 minutes'), interval '1 minute')
                )
            )
        )
    RETURNING job.id
$$;

REVOKE ALL ON FUNCTION ops.requeue_jobs(uuid[], interval) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION ops.requeue_jobs(uuid[], interval) TO dragonfly_bot;
