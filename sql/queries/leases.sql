-- affects: alerts, messages and runs

-- name: take_lease
-- Take a free or expired lease, or renew our own, which never shortens it, because a renewal may arrive late. No row if
-- another owner holds it. No lease of this name lasts longer than `longest`: a longer one was stored before the
-- database's clock stepped back, and is cut to it. Cutting another owner's lease does not take it, because that owner
-- may still count on `longest`; the epoch is null then. By primary key.
INSERT INTO chatops.leases AS held (name, owner, epoch, until)
VALUES (%(name)s, %(owner)s, 1, clock_timestamp() + %(duration)s)
ON CONFLICT (name) DO UPDATE SET
    owner = CASE WHEN held.until < clock_timestamp() THEN excluded.owner ELSE held.owner END,
    epoch = held.epoch + CASE WHEN held.until < clock_timestamp() AND held.owner <> excluded.owner THEN 1 ELSE 0 END,
    until = CASE
        WHEN held.owner = excluded.owner OR held.until >= clock_timestamp() THEN
            greatest(
                CASE WHEN held.owner = excluded.owner THEN excluded.until END,
                least(held.until, clock_timestamp() + %(longest)s::interval)
            )
        ELSE excluded.until
    END
WHERE held.owner = excluded.owner OR held.until < clock_timestamp()
    OR held.until > clock_timestamp() + %(longest)s::interval
RETURNING CASE WHEN owner = %(owner)s THEN epoch END AS epoch;

-- name: shorten_lease
-- Shorten the lease to at most `duration` from now, because nothing in progress needs it longer. By primary key.
UPDATE chatops.leases
SET until = least(until, clock_timestamp() + %(duration)s)
WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s;

-- name: lock_lease
-- The fence: if the lease is ours, keep it ours until this transaction ends, and return the database's time now, which
-- nearly every caller needs. No row if it is not ours any more. By primary key.
SELECT clock_timestamp() AS now
FROM chatops.leases
WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s AND until > clock_timestamp()
FOR SHARE;

-- name: read_idle_time
-- Return how long the lease has been free: negative while it is held, no row if it was never taken. By primary key.
SELECT clock_timestamp() - until AS idle
FROM chatops.leases
WHERE name = %(name)s;

-- name: prune_run_leases
-- Delete the leases of runs that have ended: there is one row per run until then. Runs are found by primary key,
-- because there are many more runs than leases left.
DELETE FROM chatops.leases AS lease
USING chatops.runs AS run
WHERE run.id = CASE WHEN starts_with(lease.name, 'run:') THEN substr(lease.name, 5)::bigint END
    AND chatops.is_final(run.state)
    AND lease.until < clock_timestamp() - %(older_than)s::interval;

-- name: release_lease
-- Give the lease up, so that a successor need not wait. By primary key.
UPDATE chatops.leases
SET until = clock_timestamp()
WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s;
