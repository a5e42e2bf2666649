-- affects: alerts, messages and runs

-- name: take_lease
-- Take a free or expired lease, or renew one's own, which never shortens it: a renewal may arrive late. No lease of this
-- name lasts longer than `longest`; what is stored beyond that was written before the database's clock stepped back, and
-- is cut to it. Cutting another's lease does not take it: its owner may still count on `longest`, and epoch is null.
-- No row when another owner holds it. By primary key.
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
-- Nothing is under way any more that needs the longer lease. By primary key.
UPDATE chatops.leases
SET until = least(until, clock_timestamp() + %(duration)s)
WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s;

-- name: lock_lease
-- The fence: a row while the lease is still ours, and it stays so until this transaction ends; with this very moment, which
-- nearly everything behind the fence needs. By primary key.
SELECT clock_timestamp() AS now
FROM chatops.leases
WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s AND until > clock_timestamp()
FOR SHARE;

-- name: read_idle_time
-- How long the lease has been free; negative while it is held. No row: it was never taken. By primary key.
SELECT clock_timestamp() - until AS idle
FROM chatops.leases
WHERE name = %(name)s;

-- name: prune_run_leases
-- Leases of runs that have ended. There is one row per run until it is pruned; the runs by primary key, because all those
-- that ever were are many more than the leases that are left.
DELETE FROM chatops.leases AS lease
USING chatops.runs AS run
WHERE run.id = CASE WHEN starts_with(lease.name, 'run:') THEN substr(lease.name, 5)::bigint END
    AND chatops.is_final(run.state)
    AND lease.until < clock_timestamp() - %(older_than)s::interval;

-- name: release_lease
-- Let a successor take it at once. By primary key.
UPDATE chatops.leases
SET until = clock_timestamp()
WHERE name = %(name)s AND owner = %(owner)s AND epoch = %(epoch)s;
