-- affects: the limits of machines

-- name: take_machine_request
-- Count a request if the rate limit of this machine allows it; no row otherwise. A stored time later than the limit
-- ever allows was stored before the database's clock stepped back, and counts as now. By primary key, so that of two
-- replicas one waits.
INSERT INTO chatops.machine_limits AS known (machine, due_at)
VALUES (%(machine)s, clock_timestamp() + %(every)s::interval)
ON CONFLICT (machine) DO UPDATE SET
    due_at = CASE
        WHEN known.due_at > clock_timestamp() + %(burst)s * %(every)s::interval THEN clock_timestamp()
        ELSE greatest(known.due_at, clock_timestamp())
    END + %(every)s::interval
WHERE known.due_at <= clock_timestamp() + (%(burst)s - 1) * %(every)s::interval
    OR known.due_at > clock_timestamp() + %(burst)s * %(every)s::interval
RETURNING due_at;
