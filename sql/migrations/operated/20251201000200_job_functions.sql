-- How jobs move. Both functions run as the owner, so that nobody needs UPDATE on the queue itself.
--
--   ops.claim_pending_job(p_job_types text[], p_worker_id text)
--       -> (id, job_type, payload, attempts, max_attempts), no row when nothing is due
--   ops.update_job_status(p_job_id uuid, p_status text, p_result jsonb = NULL, p_error text = NULL,
--                         p_worker_id text = NULL, p_may_retry boolean = true)
--       -> the status that the job has now: 'completed', 'failed', or 'pending' when it is tried again;
--          NULL when the job is not (or no longer) being processed, or belongs to another worker
--   NOTIFY dragonfly_jobs, '<job_type>' when a job becomes pending

CREATE FUNCTION ops.claim_pending_job(p_job_types text[], p_worker_id text)
RETURNS TABLE (id uuid, job_type text, payload jsonb, attempts integer, max_attempts integer)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    -- One index probe for each type: `= ANY(types)` would walk past everything that waits before a rare type.
    WITH due AS (
        SELECT candidate.id
        FROM unnest(p_job_types) AS wanted (job_type)
        CROSS JOIN LATERAL (
            SELECT queue.id, queue.priority, queue.run_at
            FROM ops.job_queue AS queue
            WHERE queue.status = 'pending' AND queue.job_type = wanted.job_type AND queue.run_at <= now()
            ORDER BY queue.priority DESC, queue.run_at
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        ) AS candidate
        ORDER BY candidate.priority DESC, candidate.run_at
        LIMIT 1
    )
    UPDATE ops.job_queue AS job
    SET status = 'processing', locked_at = now(), locked_by = p_worker_id, attempts = job.attempts + 1,
        updated_at = now()
    FROM due
    WHERE job.id = due.id
    RETURNING job.id, job.job_type, job.payload, job.attempts, job.max_attempts
$$;

CREATE FUNCTION ops.update_job_status(
    p_job_id uuid,
    p_status text,
    p_result jsonb DEFAULT NULL,
    p_error text DEFAULT NULL,
    p_worker_id text DEFAULT NULL,
    p_may_retry boolean DEFAULT true
)
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_status text;
BEGIN
    IF p_status NOT IN ('completed', 'failed', 'pending') THEN
        RAISE EXCEPTION 'a job ends completed or failed, or goes back to pending' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE ops.job_queue AS job
    SET status = CASE
            WHEN p_status = 'failed' AND p_may_retry AND job.attempts < job.max_attempts THEN 'pending'
            ELSE p_status
        END,
        -- 10 s, 20 s, 40 s, … at most 10 minutes, and up to a fifth more so that failures do not return together
        run_at = CASE
            WHEN p_status = 'failed' THEN
                now() + least(interval '5 seconds' * 2 ^ least(job.attempts, 10), interval '10 minutes')
                    * (1 + random() / 5)
            ELSE job.run_at
        END,
        attempts = CASE WHEN p_status = 'pending' THEN job.attempts - 1 ELSE job.attempts END,
        result = coalesce(p_result, job.result),
        error_message = CASE WHEN p_status = 'failed' THEN p_error END,
        locked_at = NULL,
        locked_by = NULL,
        updated_at = now()
    WHERE job.id = p_job_id AND job.status = 'processing' AND (p_worker_id IS NULL OR job.locked_by = p_worker_id)
    RETURNING job.status INTO v_status;
    RETURN v_status;
END
$$;

CREATE FUNCTION ops.announce_job() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_notify('dragonfly_jobs', NEW.job_type);
    RETURN NULL;
END
$$;

CREATE TRIGGER announce_new_job AFTER INSERT ON ops.job_queue
    FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION ops.announce_job();
CREATE TRIGGER announce_requeued_job AFTER UPDATE OF status ON ops.job_queue
    FOR EACH ROW WHEN (NEW.status = 'pending' AND OLD.status <> 'pending') EXECUTE FUNCTION ops.announce_job();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ops FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION ops.claim_pending_job(text[], text) TO dragonfly_app;
GRANT EXECUTE ON FUNCTION ops.update_job_status(uuid, text, jsonb, text, text, boolean) TO dragonfly_app;
