-- affects: the alerts, incident and every change

-- name: read_clock
-- This very moment by the clock that all replicas share.
SELECT clock_timestamp();
