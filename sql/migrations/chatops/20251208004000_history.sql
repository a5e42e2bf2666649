-- What the leader saw, one row per minute, for pictures of the last hours and days. Null: unknown, which is never 0.

CREATE TABLE chatops.history (
    minute timestamptz PRIMARY KEY CHECK (minute = date_bin('1 minute', minute, '2000-01-01 00:00:00+00')),
    pending integer CHECK (pending >= 0),                    -- jobs that wait
    completed real CHECK (completed >= 0),                   -- jobs per minute, over the last ten minutes
    failed real CHECK (failed >= 0),                         -- jobs per minute, over the last ten minutes
    api_ms real CHECK (api_ms >= 0),                         -- how long the API's health answer took
    connections integer CHECK (connections >= 0),            -- sessions of clients on the database server
    database_gb real CHECK (database_gb >= 0),               -- size of the database
    workers jsonb CHECK (jsonb_typeof(workers) = 'object'),  -- {worker id: [worker type, 0 ended, 1 alive, 2 warning, 3 stale]}
    usage jsonb CHECK (jsonb_typeof(usage) = 'object')       -- {service: {memory_gb, memory_limit_gb, cpu, cpu_limit, disk_gb}}
);
REVOKE ALL ON chatops.history FROM dragonfly_bot;
GRANT SELECT, INSERT, DELETE ON chatops.history TO dragonfly_bot;
