-- How many replicas Railway showed for each service, over time: scaling by hand in its dashboard leaves no other trace.
--
--   chatops.observed_replicas  one row each time the count was another one than before. What lies between the former row's
--                              `last_seen_at` and this one's `seen_at` is when somebody changed it, at some moment

CREATE TABLE chatops.observed_replicas (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service text NOT NULL CHECK (service <> ''),
    replicas integer NOT NULL CHECK (replicas >= 0),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (last_seen_at >= seen_at)
);
CREATE INDEX observed_replicas_service_idx ON chatops.observed_replicas (service, id DESC);
CREATE INDEX observed_replicas_seen_idx ON chatops.observed_replicas (seen_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON chatops.observed_replicas TO dragonfly_bot;
