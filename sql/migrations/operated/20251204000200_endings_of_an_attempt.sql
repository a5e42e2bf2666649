-- How an attempt ended is written to that attempt only. A worker with several lanes may have a job taken from one of them
-- and claim it again with another: the first one's outcome, stored late, would end what the second one is doing.
--
--   ops.update_job_statuses(p_endings jsonb, p_worker_id text)
--       as before; an ending may also hold `attempts`, as the claim gave it: without it any attempt is ended

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
        AS ended (id uuid, attempts integer, status text, result jsonb, error text, may_retry boolean)
    WHERE job.id = ended.id AND job.status = 'processing'
        AND (p_worker_id IS NULL OR job.locked_by = p_worker_id)
        AND job.attempts = coalesce(ended.attempts, job.attempts)
    RETURNING job.id, job.status;
END
$$;
