-- How many changes a machine may request, whichever replica it asks (docs/machines.md).

CREATE TABLE chatops.machine_limits (
    machine text PRIMARY KEY CHECK (length(machine) <= 100),
    due_at timestamptz NOT NULL
);
COMMENT ON COLUMN chatops.machine_limits.due_at IS 'Until when requests are spent; it lies in the future by one pace per request.';
REVOKE ALL ON chatops.machine_limits FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (due_at) ON chatops.machine_limits TO dragonfly_bot;
