-- Services that must not be deployed: after a rollback, until somebody lifts the lock (DESIGN §4).

CREATE TABLE chatops.service_locks (
    service text PRIMARY KEY CHECK (service <> ''),          -- full name
    owner text NOT NULL CHECK (owner <> ''),                 -- a Slack user id, or "terminal"
    reason text NOT NULL,
    run_id bigint REFERENCES chatops.runs (id),              -- the rollback
    locked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
