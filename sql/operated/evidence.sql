-- name: list_job_outcomes
-- How jobs ended in each of some spans of time, in the spans' order. From job_queue_updated_idx alone; civil
-- has the status alone in an index, so it reads every job that ended, however long ago.
-- commands: rollback, scale
SELECT count(*) FILTER (WHERE job.status = 'completed') AS completed,
       count(*) FILTER (WHERE job.status = 'failed') AS failed
FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS span (begins_at, ends_at, position)
LEFT JOIN ops.job_queue AS job
    ON job.updated_at >= span.begins_at AND job.updated_at < span.ends_at AND job.status IN ('completed', 'failed')
GROUP BY span.position
ORDER BY span.position;
