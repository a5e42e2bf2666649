-- affects: commands that Slack delivers twice

-- name: claim_delivery
-- Take a payload that is new, or whose claim ran out unfinished; null or no row when it is finished or worked on. A claim
-- that is stored as longer than ours was taken before the database's clock stepped back: it is cut, and its owner, who may
-- still be at work, keeps it for so long. By primary key.
INSERT INTO chatops.deliveries AS taken (key, owner, claimed_until, request)
VALUES (%(key)s, %(owner)s, clock_timestamp() + %(duration)s, %(request)s)
ON CONFLICT (key) DO UPDATE SET
    owner = CASE WHEN taken.claimed_until < clock_timestamp() THEN excluded.owner ELSE taken.owner END,
    claimed_until = excluded.claimed_until
WHERE taken.finished_at IS NULL
    AND (taken.claimed_until < clock_timestamp() OR taken.claimed_until > excluded.claimed_until)
RETURNING CASE WHEN owner = %(owner)s THEN true END AS claimed;

-- name: read_delivery
-- Why it could not be claimed: finished, or worked on for so many seconds more. By primary key.
SELECT
    finished_at IS NOT NULL AS finished,
    greatest(extract(EPOCH FROM claimed_until - clock_timestamp()), 0)::float8 AS busy_for_s
FROM chatops.deliveries
WHERE key = %(key)s;

-- name: renew_delivery
-- The work continues. By primary key.
UPDATE chatops.deliveries
SET claimed_until = clock_timestamp() + %(duration)s
WHERE key = %(key)s AND owner = %(owner)s AND finished_at IS NULL;

-- name: finish_delivery
-- The work is done: a redelivery does nothing. What was asked for is not kept. By primary key.
UPDATE chatops.deliveries
SET finished_at = clock_timestamp(), request = NULL
WHERE key = %(key)s AND owner = %(owner)s;

-- name: release_delivery
-- The work was not finished: a redelivery may do it at once. By primary key.
UPDATE chatops.deliveries
SET claimed_until = clock_timestamp()
WHERE key = %(key)s AND owner = %(owner)s AND finished_at IS NULL;

-- name: list_interrupted
-- What people asked for and no replica works on any more, oldest first. Served by deliveries_interrupted_idx.
SELECT key
FROM chatops.deliveries
WHERE finished_at IS NULL AND request IS NOT NULL AND claimed_until < clock_timestamp()
ORDER BY claimed_until
LIMIT %(limit)s;

-- name: take_interrupted
-- It is reported to its author in this transaction, and no redelivery does it any more; no row when a replica works on it
-- again, or it was reported. By primary keys and runs_delivery_idx.
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
-- What this delivery asks for is written in this transaction; no row when a former try has written it. One that is being
-- committed is waited for. By primary key.
INSERT INTO chatops.deliveries (key, owner, claimed_until, finished_at)
VALUES ('written:' || %(delivery)s, 'written', clock_timestamp(), clock_timestamp())
ON CONFLICT (key) DO NOTHING
RETURNING key;

-- name: is_written
-- Whether what this delivery asks for is written. By primary key.
SELECT EXISTS (SELECT FROM chatops.deliveries WHERE key = 'written:' || %(delivery)s);

-- name: prune_deliveries
-- Slack redelivers for minutes, at most hours. Served by deliveries_claimed_at_idx.
DELETE FROM chatops.deliveries
WHERE claimed_at < now() - %(older_than)s::interval;
