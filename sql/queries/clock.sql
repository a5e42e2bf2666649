-- affects: the alerts, incident and every change

-- name: read_clock
-- Return the current time of the database's clock, which all replicas share, not the start of the transaction.
SELECT clock_timestamp();
