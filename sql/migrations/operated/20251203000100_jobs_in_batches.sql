-- Several jobs claimed by one statement, and several ended by one: a worker's batch used to be one call a job. A claim
-- also looks at each priority apart: it used to walk past all more urgent jobs that are scheduled for later.
--
--   ops.pending_levels   each job type and priority that something pending has, and the earliest run_at there
--   ops.claim_pending_job(p_job_types text[], p_worker_id text, p_limit integer = 1)
--       -> (id, job_type, payload, attempts, max_attempts), at most p_limit rows, the most urgent first; of one priority,
--          the type whose oldest job has waited longest comes first, with all that it has
--   ops.update_job_statuses(p_endings jsonb, p_worker_id text)
--       -> (id, status) of those jobs that were being processed, by this worker; p_endings is a list of objects with the
--          keys id, status, result, error and may_retry: the parameters of ops.update_job_status, which is unchanged
--   ops.finish_and_claim_jobs(p_endings jsonb, p_worker_id text, p_job_types text[], p_limit integer)
--       -> first ops.update_job_statuses, its rows with nothing but id and status; then ops.claim_pending_job

-- By jumping from one to the next in job_queue_claim_idx: two probes each, however many jobs wait there.
CREATE VIEW ops.pending_levels WITH (security_invoker = true) AS
WITH RECURSIVE level AS (
    (
        SELECT job_type, priority, run_at
        FROM ops.job_queue
        WHERE status = 'pending'
        ORDER BY job_type, priority DESC, run_at
        LIMIT 1
    )
    UNION ALL
    SELECT next.job_type, next.priority, next.run_at
    FROM level
    CROSS JOIN LATERAL (
        (
            SELECT job_type, priority, run_at
            FROM ops.job_queue
            WHERE status = 'pending' AND job_type = level.job_type AND priority < level.priority
            ORDER BY job_type, priority DESC, run_at
            LIMIT 1
        )
        UNION ALL
        (
            SELECT job_type, priority, run_at
            FROM ops.job_queue
            WHERE status = 'pending' AND job_type > level.job_type
            ORDER BY job_type, priority DESC, run_at
            LIMIT 1
        )
        ORDER BY job_type
        LIMIT 1
    ) AS next
)
SELECT job_type, priority, run_at FROM level;

COMMENT ON VIEW ops.pending_levels IS
    'Each job type and priority that something pending has, and the earliest run_at there.';
REVOKE ALL ON ops.pending_levels FROM PUBLIC, anon, authenticated;
GRANT SELECT ON ops.pending_levels TO dragonfly_app, dragonfly_bot;

-- What it was for is found by type and priority now, and a claim must never be planned with it: it would walk past every
-- other type's jobs.
DROP INDEX ops.job_queue_pending_idx;

DROP FUNCTION ops.claim_pending_job(text[], text);
CREATE FUNCTION ops.claim_pending_job(p_job_types text[], p_worker_id text, p_limit integer DEFAULT 1)
RETURNS TABLE (id uuid, job_type text, payload jsonb, attempts integer, max_attempts integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan  -- a plan for each limit would look cheaper, and be made at each call
AS $$
#variable_conflict use_column
DECLARE
    v_level record;
    v_left integer := p_limit;
    v_room bigint;
    v_claimed integer;
BEGIN
    -- Of two claims for a type's last free place one has to see the other's. Always in one order, so that two claims
    -- never wait for each other.
    PERFORM pg_advisory_xact_lock(hashtextextended('ops.job_types:' || limited.job_type, 0))
    FROM (
        SELECT kind.job_type FROM ops.job_types AS kind WHERE kind.job_type = ANY (p_job_types) ORDER BY kind.job_type
    ) AS limited;
    FOR v_level IN
        SELECT level.job_type, level.priority, kind.max_running
        FROM ops.pending_levels AS level
        LEFT JOIN ops.job_types AS kind ON kind.job_type = level.job_type
        WHERE level.job_type = ANY (p_job_types) AND level.run_at <= now()
        ORDER BY level.priority DESC, level.run_at
    LOOP
        v_room := v_left;
        IF v_level.max_running IS NOT NULL THEN
            SELECT least(v_left, v_level.max_running - count(*)) INTO v_room
            FROM ops.job_queue AS running
            WHERE running.status = 'processing' AND running.job_type = v_level.job_type;
            CONTINUE WHEN v_room <= 0;
        END IF;
        RETURN QUERY
        WITH claimed AS (
            UPDATE ops.job_queue AS job
            SET status = 'processing', locked_at = now(), locked_by = p_worker_id, attempts = job.attempts + 1,
                updated_at = now()
            WHERE job.id = ANY (ARRAY(
                SELECT queue.id
                FROM ops.job_queue AS queue
                WHERE queue.status = 'pending' AND queue.job_type = v_level.job_type
                    AND queue.priority = v_level.priority AND queue.run_at <= now()
                ORDER BY queue.run_at
                LIMIT v_room
                FOR UPDATE SKIP LOCKED
            ))
            RETURNING job.id, job.job_type, job.payload, job.attempts, job.max_attempts, job.run_at
        )
        SELECT claimed.id, claimed.job_type, claimed.payload, claimed.attempts, claimed.max_attempts
        FROM claimed
        ORDER BY claimed.run_at;
        GET DIAGNOSTICS v_claimed = ROW_COUNT;
        v_left := v_left - v_claimed;
        EXIT WHEN v_left <= 0;
    END LOOP;
END
$$;

CREATE FUNCTION ops.update_job_statuses(p_endings jsonb, p_worker_id text)
RETURNS TABLE (id uuid, status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    UPDATE ops.job_queue AS job
    SET status = CASE
            WHEN ended.status = 'failed' AND ended.may_retry AND job.attempts < job.max_attempts THEN 'pending'
            ELSE ended.status
        END,
        -- 10 s, 20 s, 40 s, … at most 10 minutes, and up to a fifth more so that failures do not return together
        run_at = CASE
            WHEN ended.status = 'failed' THEN
                now() + least(interval '5 seconds' * 2 ^ least(job.attempts, 10), interval '10 minutes')
                    * (1 + random() / 5)
            ELSE job.run_at
        END,
        attempts = CASE WHEN ended.status = 'pending' THEN job.attempts - 1 ELSE job.attempts END,
        result = coalesce(ended.result, job.result),
        error_message = CASE WHEN ended.status = 'failed' THEN ended.error END,
        locked_at = NULL,
        locked_by = NULL,
        updated_at = now()
    FROM jsonb_to_recordset(p_endings) AS ended (id uuid, status text, result jsonb, error text, may_retry boolean)
    WHERE job.id = ended.id AND job.status = 'processing' AND (p_worker_id IS NULL OR job.locked_by = p_worker_id)
    RETURNING job.id, job.status;
END
$$;

CREATE OR REPLACE FUNCTION ops.update_job_status(
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
BEGIN
    IF p_status NOT IN ('completed', 'failed', 'pending') THEN
        RAISE EXCEPTION 'a job ends completed or failed, or goes back to pending' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN (
        SELECT ended.status
        FROM ops.update_job_statuses(
            jsonb_build_array(jsonb_build_object(
                'id', p_job_id, 'status', p_status, 'result', p_result, 'error', p_error, 'may_retry', p_may_retry
            )),
            p_worker_id
        ) AS ended
    );
END
$$;

CREATE FUNCTION ops.finish_and_claim_jobs(p_endings jsonb, p_worker_id text, p_job_types text[], p_limit integer)
RETURNS TABLE (id uuid, status text, job_type text, payload jsonb, attempts integer, max_attempts integer)
LANGUAGE plpgsql VOLATILE  -- as the caller, who has to be allowed both
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT ended.id, ended.status, NULL::text, NULL::jsonb, NULL::integer, NULL::integer
    FROM ops.update_job_statuses(p_endings, p_worker_id) AS ended;
    RETURN QUERY
    SELECT job.id, 'processing', job.job_type, job.payload, job.attempts, job.max_attempts
    FROM ops.claim_pending_job(p_job_types, p_worker_id, p_limit) AS job;
END
$$;

REVOKE ALL ON FUNCTION
    ops.claim_pending_job(text[], text, integer),
    ops.update_job_statuses(jsonb, text),
    ops.finish_and_claim_jobs(jsonb, text, text[], integer)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
    ops.claim_pending_job(text[], text, integer),
    ops.update_job_statuses(jsonb, text),
    ops.finish_and_claim_jobs(jsonb, text, text[], integer)
    TO dragonfly_app;
