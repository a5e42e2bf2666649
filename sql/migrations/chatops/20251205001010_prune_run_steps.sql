-- The steps of runs that ended long ago may be deleted, with their evidence; run, plan, decisions, review and audit log stay.
--
--   chatops.prune_run_steps(p_older_than interval, p_limit integer)
--       of at most so many runs -> how many runs have no steps any more. NULL for the age: keep all. Never of a run that is not
--       final (also unknown), whose review is open, that holds a lock, or in which a step was not proved; never within a year
--       of its end

CREATE FUNCTION chatops.prune_run_steps(p_older_than interval, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_runs bigint[];
BEGIN
    IF p_older_than IS NULL THEN
        RETURN 0;
    END IF;
    v_runs := ARRAY(
        SELECT run.id
        FROM chatops.runs AS run
        WHERE chatops.is_final(run.state)
            AND run.ended_at < now() - greatest(p_older_than, interval '1 year')
            AND EXISTS (SELECT FROM chatops.run_steps AS step WHERE step.run_id = run.id)
            AND NOT EXISTS (SELECT FROM chatops.reviews AS review WHERE review.run_id = run.id AND review.reviewed_at IS NULL)
            AND NOT EXISTS (
                SELECT FROM chatops.run_steps AS step
                WHERE step.run_id = run.id AND step.state IN ('not_proved', 'unknown', 'intended', 'running')
            )
            AND NOT EXISTS (SELECT FROM chatops.service_locks AS locked WHERE locked.run_id = run.id)
        ORDER BY run.id
        LIMIT p_limit
        FOR UPDATE SKIP LOCKED
    );
    DELETE FROM chatops.run_steps WHERE run_id = ANY (v_runs);
    RETURN cardinality(v_runs);
END
$$;

REVOKE ALL ON FUNCTION chatops.prune_run_steps(interval, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION chatops.prune_run_steps(interval, integer) TO dragonfly_bot;
