-- name: list_job_outcomes
-- Count how jobs ended in each span of time (start included, end excluded), in the given order. Served by
-- job_queue_updated_idx alone; civil has only the status in an index, so all jobs that ever ended are read there.
-- commands: rollback, scale
SELECT count(*) FILTER (WHERE job.status = 'completed') AS completed,
       count(*) FILTER (WHERE job.status = 'failed') AS failed
FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS span (begins_at, ends_at, position)
LEFT JOIN ops.job_queue AS job
    ON job.updated_at >= span.begins_at AND job.updated_at < span.ends_at AND job.status IN ('completed', 'failed')
GROUP BY span.position
ORDER BY span.position;
