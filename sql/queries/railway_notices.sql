-- affects: messages about Railway's events

-- name: count_railway_notice
-- Count an event of the current hour and return the count; counts older than 1 day are deleted. By primary key, so that
-- of two replicas one waits.
WITH former AS (DELETE FROM chatops.railway_notices WHERE hour < now() - interval '1 day')
INSERT INTO chatops.railway_notices AS known (hour, is_known, taken)
VALUES (date_trunc('hour', now()), %(is_known)s, 1)
ON CONFLICT (hour, is_known) DO UPDATE SET taken = known.taken + 1
RETURNING hour, taken;
