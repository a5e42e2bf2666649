-- affects: commands that Slack delivers twice

-- name: claim_delivery
-- Claim a delivery that is new, or whose claim expired before the work was finished; null or no row if the work is
-- finished or another replica does it now. A stored claim that ends later than ours would was made before the
-- database's clock stepped back: it is shortened to that time, and its owner, which may still be at work, keeps it. By
-- primary key.
INSERT INTO chatops.deliveries AS taken (key, owner, claimed_until, request)
VALUES (%(key)s, %(owner)s, clock_timestamp() + %(duration)s, %(request)s)
ON CONFLICT (key) DO UPDATE SET
    owner = CASE WHEN taken.claimed_until < clock_timestamp() THEN excluded.owner ELSE taken.owner END,
    claimed_until = excluded.claimed_until
WHERE taken.finished_at IS NULL
    AND (taken.claimed_until < clock_timestamp() OR taken.claimed_until > excluded.claimed_until)
RETURNING CASE WHEN owner = %(owner)s THEN true END AS claimed;

-- name: read_delivery
-- Return whether the work is finished, and for how many more seconds the claim lasts; no row if it was never claimed.
-- By primary key.
SELECT
    finished_at IS NOT NULL AS finished,
    greatest(extract(EPOCH FROM claimed_until - clock_timestamp()), 0)::float8 AS busy_for_s
FROM chatops.deliveries
WHERE key = %(key)s;

-- name: renew_delivery
-- Extend the claim by `duration` from now. By primary key.
UPDATE chatops.deliveries
SET claimed_until = clock_timestamp() + %(duration)s
WHERE key = %(key)s AND owner = %(owner)s AND finished_at IS NULL;

-- name: finish_delivery
-- Mark the work as done, so that a redelivery does nothing, and delete the request. By primary key.
UPDATE chatops.deliveries
SET finished_at = clock_timestamp(), request = NULL
WHERE key = %(key)s AND owner = %(owner)s;

-- name: release_delivery
-- Give up the claim, so that a redelivery can do the work at once. By primary key.
UPDATE chatops.deliveries
SET claimed_until = clock_timestamp()
WHERE key = %(key)s AND owner = %(owner)s AND finished_at IS NULL;

-- name: list_interrupted
-- List the keys of requests that no replica works on any more, oldest first. Served by deliveries_interrupted_idx.
SELECT key
FROM chatops.deliveries
WHERE finished_at IS NULL AND request IS NOT NULL AND claimed_until < clock_timestamp()
ORDER BY claimed_until
LIMIT %(limit)s;

-- name: take_interrupted
-- Take an interrupted request, so that this transaction can report it to its author and a redelivery does nothing from
-- now on. No row if a replica works on it again, or it was taken already. By primary keys and runs_delivery_idx.
WITH taken AS (
    SELECT delivery.key, delivery.request
    FROM chatops.deliveries AS delivery
    WHERE delivery.key = %(key)s AND delivery.finished_at IS NULL AND delivery.request IS NOT NULL
        AND delivery.claimed_until < clock_timestamp()
    FOR UPDATE
)
UPDATE chatops.deliveries AS delivery
SET finished_at = clock_timestamp(), request = NULL
FROM taken
WHERE delivery.key = taken.key
RETURNING
    taken.request ->> 'user' AS user_id,
    taken.request ->> 'words' AS words,
    taken.request ->> 'shown_by' AS shown_by,
    delivery.claimed_at AS asked_at,
    (SELECT run.id FROM chatops.runs AS run WHERE run.delivery = delivery.key) AS run_id,
    EXISTS (SELECT FROM chatops.deliveries AS done WHERE done.key = 'written:' || delivery.key) AS is_written;

-- name: note_written
-- Record that this transaction writes what the delivery asks for; no row if another transaction did before. Waits for
-- one that is being committed. By primary key.
INSERT INTO chatops.deliveries (key, owner, claimed_until, finished_at)
VALUES ('written:' || %(delivery)s, 'written', clock_timestamp(), clock_timestamp())
ON CONFLICT (key) DO NOTHING
RETURNING key;

-- name: is_written
-- True if a committed transaction wrote what the delivery asks for. By primary key.
SELECT EXISTS (SELECT FROM chatops.deliveries WHERE key = 'written:' || %(delivery)s);

-- name: prune_deliveries
-- Delete old deliveries; Slack redelivers for minutes, at most hours. Served by deliveries_claimed_at_idx.
DELETE FROM chatops.deliveries
WHERE claimed_at < now() - %(older_than)s::interval;
