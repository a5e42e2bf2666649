-- affects: what changed before an incident

-- name: note_replicas
-- Record how many replicas each of these services is configured to have now: a new row if the number has changed,
-- otherwise the time at which it was last seen, at most once per minute. Served by observed_replicas_service_idx.
WITH now_seen AS (
    SELECT one.service, one.replicas, latest.id, latest.replicas AS before
    FROM unnest(%(services)s::text[], %(replicas)s::integer[]) AS one (service, replicas)
    LEFT JOIN LATERAL (
        SELECT id, replicas
        FROM chatops.observed_replicas AS observed
        WHERE observed.service = one.service
        ORDER BY id DESC
        LIMIT 1
    ) AS latest ON true
),
still AS (
    UPDATE chatops.observed_replicas AS observed
    SET last_seen_at = clock_timestamp()
    FROM now_seen
    WHERE
        observed.id = now_seen.id
        AND now_seen.before = now_seen.replicas
        AND observed.last_seen_at < clock_timestamp() - interval '1 minute'
)
INSERT INTO chatops.observed_replicas (service, replicas)
SELECT service, replicas
FROM now_seen
WHERE before IS DISTINCT FROM replicas;

-- name: list_replica_changes
-- List changes of the configured replicas within the window, newest first; the first count of a service is no change.
-- Served by observed_replicas_seen_idx and observed_replicas_service_idx.
SELECT changed.service, former.replicas AS before, changed.replicas AS after, former.last_seen_at AS not_before,
       changed.seen_at AS not_after
FROM chatops.observed_replicas AS changed
CROSS JOIN LATERAL (
    SELECT replicas, last_seen_at
    FROM chatops.observed_replicas AS earlier
    WHERE earlier.service = changed.service AND earlier.id < changed.id
    ORDER BY id DESC
    LIMIT 1
) AS former
WHERE changed.seen_at > statement_timestamp() - %(within)s::interval
ORDER BY changed.id DESC
LIMIT %(limit)s;

-- name: prune_observed_replicas
-- Delete old counts; the count that each service had then stays. Served by observed_replicas_seen_idx and
-- observed_replicas_service_idx.
DELETE FROM chatops.observed_replicas AS old
WHERE
    old.seen_at < statement_timestamp() - %(older_than)s::interval
    AND EXISTS (
        SELECT FROM chatops.observed_replicas AS newer
        WHERE newer.service = old.service AND newer.id > old.id AND newer.seen_at < statement_timestamp() - %(older_than)s::interval
    );
