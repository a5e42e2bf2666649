-- affects: the limits of machines

-- name: take_machine_request
-- One more request of this machine, if the pace allows it; no row else. By primary key: of two replicas one waits.
INSERT INTO chatops.machine_limits AS known (machine, due_at)
VALUES (%(machine)s, clock_timestamp() + %(every)s::interval)
ON CONFLICT (machine) DO UPDATE SET due_at = greatest(known.due_at, clock_timestamp()) + %(every)s::interval
WHERE greatest(known.due_at, clock_timestamp()) + %(every)s::interval <= clock_timestamp() + %(burst)s * %(every)s::interval
RETURNING due_at;
