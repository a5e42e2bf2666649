-- The minutes of chatops.history by the hour, so that a month is read as fast as a day. A whole hour is summed up once,
-- when it is over; hours follow each other, so that what comes after the last of them is in the minutes only.

CREATE TABLE chatops.history_hours (
    hour timestamptz PRIMARY KEY CHECK (hour = date_bin('1 hour', hour, '2000-01-01 00:00:00+00')),
    pending integer CHECK (pending >= 0),
    completed double precision CHECK (completed >= 0),
    completed_minutes integer NOT NULL,
    failed double precision CHECK (failed >= 0),
    failed_minutes integer NOT NULL,
    api_ms real CHECK (api_ms >= 0),
    connections integer CHECK (connections >= 0),
    database_gb real CHECK (database_gb >= 0),
    workers jsonb CHECK (jsonb_typeof(workers) = 'object'),
    usage jsonb CHECK (jsonb_typeof(usage) = 'object')
);
COMMENT ON COLUMN chatops.history_hours.completed IS 'The sum of the rates of so many minutes; the other columns are the highest.';
COMMENT ON COLUMN chatops.history_hours.workers IS 'As chatops.history.workers, the worst state.';
COMMENT ON COLUMN chatops.history_hours.usage IS 'As chatops.history.usage, the highest of each figure.';
REVOKE ALL ON chatops.history_hours FROM dragonfly_bot;
GRANT SELECT, INSERT, DELETE ON chatops.history_hours TO dragonfly_bot;
