-- How many jobs of a type may run at once, on all workers together; a type without a row has no limit. A claim also locks
-- nothing but the job that it takes: it used to lock the first job of every type it was asked for, so that for a moment
-- another worker saw nothing to do.
--
--   ops.claim_pending_job   unchanged in meaning

CREATE TABLE ops.job_types (
    job_type text PRIMARY KEY CHECK (job_type <> ''),
    max_running integer NOT NULL CHECK (max_running >= 1)
);
ALTER TABLE ops.job_types ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON ops.job_types TO dragonfly_app USING (true) WITH CHECK (true);
CREATE POLICY bot_reads ON ops.job_types FOR SELECT TO dragonfly_bot USING (true);
REVOKE ALL ON ops.job_types FROM PUBLIC, anon, authenticated;
GRANT SELECT ON ops.job_types TO dragonfly_app, dragonfly_bot;
COMMENT ON TABLE ops.job_types IS 'How many jobs of a type may run at once; a type without a row has no limit.';

CREATE OR REPLACE FUNCTION ops.claim_pending_job(p_job_types text[], p_worker_id text)
RETURNS TABLE (id uuid, job_type text, payload jsonb, attempts integer, max_attempts integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_type text;
    v_max_running integer;
BEGIN
    -- The types by their most urgent job. One index probe for each: `= ANY(types)` would walk past everything that waits
    -- before a rare type.
    FOR v_type IN
        SELECT wanted.job_type
        FROM unnest(p_job_types) AS wanted (job_type)
        CROSS JOIN LATERAL (
            SELECT queue.priority, queue.run_at
            FROM ops.job_queue AS queue
            WHERE queue.status = 'pending' AND queue.job_type = wanted.job_type AND queue.run_at <= now()
            ORDER BY queue.priority DESC, queue.run_at
            LIMIT 1
        ) AS head
        ORDER BY head.priority DESC, head.run_at
    LOOP
        SELECT kind.max_running INTO v_max_running FROM ops.job_types AS kind WHERE kind.job_type = v_type;
        IF FOUND THEN
            -- Of two claims for the last free place one has to see the other's.
            PERFORM pg_advisory_xact_lock(hashtextextended('ops.job_types:' || v_type, 0));
            CONTINUE WHEN v_max_running <= (
                SELECT count(*) FROM ops.job_queue AS running
                WHERE running.status = 'processing' AND running.job_type = v_type
            );
        END IF;
        RETURN QUERY
        UPDATE ops.job_queue AS job
        SET status = 'processing', locked_at = now(), locked_by = p_worker_id, attempts = job.attempts + 1,
            updated_at = now()
        WHERE job.id = (
            SELECT queue.id
            FROM ops.job_queue AS queue
            WHERE queue.status = 'pending' AND queue.job_type = v_type AND queue.run_at <= now()
            ORDER BY queue.priority DESC, queue.run_at
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        )
        RETURNING job.id, job.job_type, job.payload, job.attempts, job.max_attempts;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
END
$$;
