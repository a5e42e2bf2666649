-- A claim steps over what was claimed before it until the table is vacuumed, and each job leaves two dead rows. By default
-- that waits for a fifth of the table, which is a million rows where five million finished jobs are kept. The indexes have
-- to be cleaned each time: vacuum passes them over where few pages of a large table hold dead rows.
ALTER TABLE ops.job_queue SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 50000,
    vacuum_index_cleanup = on
);
