-- affects: messages about Railway's events

-- name: count_railway_notice
-- One more event of this hour; the counts of former days go. By primary key: of two replicas one waits.
WITH former AS (DELETE FROM chatops.railway_notices WHERE hour < now() - interval '1 day')
INSERT INTO chatops.railway_notices AS known (hour, is_known, taken)
VALUES (date_trunc('hour', now()), %(is_known)s, 1)
ON CONFLICT (hour, is_known) DO UPDATE SET taken = known.taken + 1
RETURNING hour, taken;
