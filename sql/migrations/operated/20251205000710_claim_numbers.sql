-- Each claim of a job has a number of its own, which only grows. A job that was handed back, or taken from its worker, and
-- claimed again by the same worker had the same worker and the same attempt as before: an ending of the former claim, stored
-- late, ended the new one.
--
--   ops.job_queue.claim     how often the job was claimed; unlike attempts it never goes down
--   ops.claim_pending_job   as before, its rows with the claim at the end
--   ops.update_job_statuses as before; an ending may also hold `claim`. Workers of the former version send `attempts` only
--   ops.finish_and_claim_jobs as before, its rows with the claim at the end

ALTER TABLE ops.job_queue ADD COLUMN claim bigint NOT NULL DEFAULT 0 CHECK (claim >= 0);
COMMENT ON COLUMN ops.job_queue.claim IS 'Grows with each claim; an ending names the claim that it ends.';

DROP FUNCTION ops.finish_and_claim_jobs(jsonb, text, text[], integer);
DROP FUNCTION ops.claim_pending_job(text[], text, integer);

CREATE FUNCTION ops.claim_pending_job(p_job_types text[], p_worker_id text, p_limit integer DEFAULT 1)
RETURNS TABLE (id uuid, job_type text, payload jsonb, attempts integer, max_attempts integer, claim bigint)
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
                claim = job.claim + 1, updated_at = now()
            WHERE job.id = ANY (ARRAY(
                SELECT queue.id
                FROM ops.job_queue AS queue
                WHERE queue.status = 'pending' AND queue.job_type = v_level.job_type
                    AND queue.priority = v_level.priority AND queue.run_at <= now()
                ORDER BY queue.run_at
                LIMIT v_room
                FOR UPDATE SKIP LOCKED
            ))
            RETURNING job.id, job.job_type, job.payload, job.attempts, job.max_attempts, job.claim, job.run_at
        )
        SELECT claimed.id, claimed.job_type, claimed.payload, claimed.attempts, claimed.max_attempts, claimed.claim
        FROM claimed
        ORDER BY claimed.run_at;
        GET DIAGNOSTICS v_claimed = ROW_COUNT;
        v_left := v_left - v_claimed;
        EXIT WHEN v_left <= 0;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION ops.update_job_statuses(p_endings jsonb, p_worker_id text)
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
    FROM jsonb_to_recordset(p_endings)
        AS ended (id uuid, attempts integer, claim bigint, status text, result jsonb, error text, may_retry boolean)
    WHERE job.id = ended.id AND job.status = 'processing'
        AND (p_worker_id IS NULL OR job.locked_by = p_worker_id)
        AND job.attempts = coalesce(ended.attempts, job.attempts)
        AND job.claim = coalesce(ended.claim, job.claim)
    RETURNING job.id, job.status;
END
$$;

CREATE FUNCTION ops.finish_and_claim_jobs(p_endings jsonb, p_worker_id text, p_job_types text[], p_limit integer)
RETURNS TABLE (id uuid, status text, job_type text, payload jsonb, attempts integer, max_attempts integer,
              claim bigint)
LANGUAGE plpgsql VOLATILE  -- as the caller, who has to be allowed both
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT ended.id, ended.status, NULL::text, NULL::jsonb, NULL::integer, NULL::integer, NULL::bigint
    FROM ops.update_job_statuses(p_endings, p_worker_id) AS ended;
    RETURN QUERY
    SELECT job.id, 'processing', job.job_type, job.payload, job.attempts, job.max_attempts, job.claim
    FROM ops.claim_pending_job(p_job_types, p_worker_id, p_limit) AS job;
END
$$;

REVOKE ALL ON FUNCTION
    ops.claim_pending_job(text[], text, integer),
    ops.finish_and_claim_jobs(jsonb, text, text[], integer)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
    ops.claim_pending_job(text[], text, integer),
    ops.finish_and_claim_jobs(jsonb, text, text[], integer)
    TO dragonfly_app;
