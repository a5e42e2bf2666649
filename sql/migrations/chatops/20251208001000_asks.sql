-- Questions in words: what each read, what the model cost, and what became of its claims. The question itself is in the audit
-- log only, masked.

CREATE TABLE chatops.asks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    asked_by_user text,
    asked_by_team text,
    outcome text NOT NULL DEFAULT 'asking' CHECK (outcome ~ '^[a-z_]{1,40}$'),
    model text,
    reserved_usd numeric(12, 6) NOT NULL DEFAULT 0 CHECK (reserved_usd >= 0),
    reserved_tokens integer NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
    cost_usd numeric(12, 6) NOT NULL DEFAULT 0 CHECK (cost_usd >= 0),
    tokens integer NOT NULL DEFAULT 0 CHECK (tokens >= 0),
    claims_proved smallint NOT NULL DEFAULT 0 CHECK (claims_proved >= 0),
    claims_dropped smallint NOT NULL DEFAULT 0 CHECK (claims_dropped >= 0),
    stopped_by text,
    rating smallint CHECK (rating IN (-1, 1)),
    rated_by text,
    ended_at timestamptz,
    CHECK ((asked_by_user IS NULL) = (asked_by_team IS NULL)),
    CHECK ((rating IS NULL) = (rated_by IS NULL))
);
COMMENT ON TABLE chatops.asks IS 'Questions in words, with what the model cost; the question itself is in the audit log, masked.';
COMMENT ON COLUMN chatops.asks.asked_by_user IS 'Slack user id; null from a terminal.';
COMMENT ON COLUMN chatops.asks.reserved_usd IS 'What the call under way may cost; counts as spent until the answer tells.';
COMMENT ON COLUMN chatops.asks.claims_dropped IS 'Claims that the lines that were read do not prove; they were not shown.';
CREATE INDEX asks_asked_at_idx ON chatops.asks (asked_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON chatops.asks TO dragonfly_bot;
