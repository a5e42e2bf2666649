-- A job that waits because as many of its type run as may (ops.job_types) is not left alone by anybody: it used to count
-- as backlog, and as a job that idle workers do not claim.
--
--   ops.claimable_levels   as ops.pending_levels, without the types of which no more may run now

CREATE VIEW ops.claimable_levels WITH (security_invoker = true) AS
SELECT level.job_type, level.priority, level.run_at
FROM ops.pending_levels AS level
WHERE NOT EXISTS (
    SELECT FROM ops.job_types AS kind
    WHERE kind.job_type = level.job_type
        AND kind.max_running <= (
            SELECT count(*) FROM ops.job_queue AS running
            WHERE running.status = 'processing' AND running.job_type = kind.job_type
        )
);

COMMENT ON VIEW ops.claimable_levels IS
    'Each job type and priority of which something may be claimed, and the earliest run_at there.';
REVOKE ALL ON ops.claimable_levels FROM PUBLIC, anon, authenticated;
GRANT SELECT ON ops.claimable_levels TO dragonfly_app, dragonfly_bot;
