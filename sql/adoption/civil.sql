-- Grants the bot's rights in a database of the system `civil`, besides its own schema: to read, and to requeue failed jobs.
-- It can be run again without harm.

GRANT USAGE ON SCHEMA ops, supabase_migrations TO dragonfly_bot;

-- Only the columns that the queries of sql/operated/ read. No payloads, rows or messages: they contain personal data.
GRANT SELECT (worker_id, worker_type, last_seen_at, status, created_at)
ON ops.worker_heartbeats TO dragonfly_bot;
GRANT SELECT (id, job_type, status, attempts, max_attempts, locked_at, last_error, created_at, updated_at, next_run_at,
              started_at, worker_id)
ON ops.job_queue TO dragonfly_bot;
GRANT SELECT (id, source, filename, row_count_raw, row_count_valid, row_count_invalid, status, created_at)
ON ops.ingest_batches TO dragonfly_bot;
GRANT SELECT (batch_id, row_index, status, error_code, created_at, level) ON ops.intake_logs TO dragonfly_bot;
GRANT SELECT (version) ON supabase_migrations.schema_migrations TO dragonfly_bot;

-- The bot does not get BYPASSRLS, so it needs a policy per table to see the rows.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'ops.worker_heartbeats', 'ops.job_queue', 'ops.ingest_batches', 'ops.intake_logs'
    ] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_policy WHERE polrelid = wanted::regclass AND polname = 'dragonfly_bot_reads'
        ) THEN
            EXECUTE format('CREATE POLICY dragonfly_bot_reads ON %s FOR SELECT TO dragonfly_bot USING (true)', wanted);
        END IF;
    END LOOP;
END
$$;

--   chatops.requeue_jobs(ids, stale after)
--       -> the ids of the jobs that are pending again: failed jobs, and jobs in processing whose worker sends no heartbeat.
--          Their lock is removed, their attempts are kept. A job stays as it is if another open job does the same work.
CREATE OR REPLACE FUNCTION chatops.requeue_jobs(p_job_ids uuid[], p_stale_after interval) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id uuid;
BEGIN
    FOREACH v_id IN ARRAY p_job_ids LOOP
        BEGIN
            UPDATE ops.job_queue AS job
            SET status = 'pending', locked_at = NULL, worker_id = NULL, next_run_at = NULL, started_at = NULL
            WHERE job.id = v_id
                AND (
                    job.status = 'failed'
                    OR job.status = 'processing' AND NOT EXISTS (
                        SELECT FROM ops.worker_heartbeats AS beat
                        WHERE beat.worker_id = job.worker_id
                            AND beat.status NOT IN ('stopped', 'error')
                            AND beat.last_seen_at >= now() - p_stale_after
                    )
                );
            IF FOUND THEN
                RETURN NEXT v_id;
            END IF;
        EXCEPTION WHEN unique_violation THEN
            NULL;  -- another open job does the same work
        END;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chatops.requeue_jobs(uuid[], interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chatops.requeue_jobs(uuid[], interval) TO dragonfly_bot;
