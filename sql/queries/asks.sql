-- affects: ask

-- name: begin_ask
-- Store a new question and return its number.
INSERT INTO chatops.asks (asked_by_user, asked_by_team)
VALUES (%(user_id)s, %(team_id)s)
RETURNING id;

-- name: lock_ask_budget
-- Let no other question reserve anything until this transaction ends: of two questions at the same time the second
-- counts what the first has reserved.
SELECT pg_advisory_xact_lock(20251208001000);

-- name: read_ask_spending
-- Return the US dollars and tokens spent or reserved since midnight UTC: by this question, this person, and all. Served
-- by asks_asked_at_idx.
SELECT
    coalesce(sum(cost_usd + reserved_usd) FILTER (WHERE id = %(ask_id)s), 0) AS answer_usd,
    coalesce(sum(tokens + reserved_tokens) FILTER (WHERE id = %(ask_id)s), 0)::bigint AS answer_tokens,
    coalesce(sum(cost_usd + reserved_usd) FILTER (WHERE asked_by_user = %(user_id)s), 0) AS person_usd,
    coalesce(sum(tokens + reserved_tokens) FILTER (WHERE asked_by_user = %(user_id)s), 0)::bigint AS person_tokens,
    coalesce(sum(cost_usd + reserved_usd), 0) AS day_usd,
    coalesce(sum(tokens + reserved_tokens), 0)::bigint AS day_tokens
FROM chatops.asks
WHERE asked_at >= date_trunc('day', statement_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';

-- name: reserve_for_ask
-- Reserve the maximum cost of one call to the model. By primary key.
UPDATE chatops.asks
SET reserved_usd = reserved_usd + %(usd)s, reserved_tokens = reserved_tokens + %(tokens)s, model = %(model)s
WHERE id = %(ask_id)s;

-- name: settle_ask
-- Replace the reservation for one call by its actual cost. By primary key.
UPDATE chatops.asks
SET reserved_usd = greatest(reserved_usd - %(reserved_usd)s, 0), cost_usd = cost_usd + %(cost_usd)s,
    reserved_tokens = greatest(reserved_tokens - %(reserved_tokens)s, 0), tokens = tokens + %(tokens)s
WHERE id = %(ask_id)s;

-- name: end_ask
-- Store how the question ended. By primary key.
UPDATE chatops.asks
SET outcome = %(outcome)s, claims_proved = %(proved)s, claims_dropped = %(dropped)s, ended_at = clock_timestamp()
WHERE id = %(ask_id)s;

-- name: stop_ask
-- Request that the question be stopped; no row if it has ended or is another person's. By primary key.
UPDATE chatops.asks
SET stopped_by = %(user_id)s
WHERE id = %(ask_id)s AND ended_at IS NULL AND asked_by_user = %(user_id)s
RETURNING true AS stopped;

-- name: is_ask_stopped
-- True if the person pressed Stop, on any replica. By primary key.
SELECT stopped_by IS NOT NULL AS stopped
FROM chatops.asks
WHERE id = %(ask_id)s;

-- name: rate_ask
-- Store whether the answer helped; the last rating counts. No row if there is no such question. By primary key.
UPDATE chatops.asks
SET rating = %(rating)s, rated_by = %(user_id)s
WHERE id = %(ask_id)s
RETURNING true AS rated;

-- name: prune_asks
-- Delete old questions. Served by asks_asked_at_idx.
DELETE FROM chatops.asks
WHERE asked_at < now() - %(older_than)s::interval;
