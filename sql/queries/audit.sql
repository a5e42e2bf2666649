-- affects: audit, and every change

-- name: append_audit
-- One more row in the chain; returns its hash. Others wait for the end of this transaction before they can append.
SELECT chatops.append_audit(%(actor)s, %(event)s, %(run_id)s, %(details)s);

-- name: count_acts
-- How often one person did something recently, to one incident where it is given. What a clock that has stepped back since
-- dates ahead does not count. Served by audit_actor_idx.
SELECT count(*)
FROM chatops.audit
WHERE actor = %(actor)s AND event = %(event)s
    AND at > statement_timestamp() - %(window)s::interval AND at <= statement_timestamp()
    AND (%(incident_id)s::bigint IS NULL OR details -> 'incident' = to_jsonb(%(incident_id)s::bigint));

-- name: list_audit
-- The newest events. By primary key, backwards.
SELECT seq, at, actor, event, run_id, details, hash
FROM chatops.audit
ORDER BY seq DESC
LIMIT %(limit)s;

-- name: list_audit_of_run
-- The newest events of one run. Served by audit_run_id_idx.
SELECT seq, at, actor, event, run_id, details, hash
FROM chatops.audit
WHERE run_id = %(run_id)s
ORDER BY seq DESC
LIMIT %(limit)s;

-- name: check_audit
-- The whole chain in one pass, and what was remembered of its end. By primary key.
WITH chain AS (
    SELECT
        seq,
        seq <> lag(seq, 1, 0::bigint) OVER in_order + 1 AS follows_a_gap,
        hash <> chatops.hash_audit_row(
            lag(hash, 1, '') OVER in_order, seq, at, actor, event, run_id, details
        ) AS is_changed,
        starts_with(hash, %(remembered)s) AS is_remembered
    FROM chatops.audit
    WINDOW in_order AS (ORDER BY seq)
),
found AS (
    SELECT
        count(*) AS rows,
        min(seq) FILTER (WHERE follows_a_gap) AS first_after_gap,
        min(seq) FILTER (WHERE is_changed AND NOT follows_a_gap) AS first_changed,
        coalesce(bool_or(is_remembered), false) AS is_remembered_there
    FROM chain
)
SELECT
    found.rows,
    (SELECT max(audit.seq) FROM chatops.audit WHERE audit.seq < found.first_after_gap) AS last_before_gap,
    found.first_after_gap,
    found.first_changed,
    found.is_remembered_there,
    last.seq AS last_seq,
    last.hash AS last_hash,
    head.seq AS head_seq,
    head.hash AS head_hash
FROM found
CROSS JOIN chatops.audit_head AS head
LEFT JOIN LATERAL (SELECT audit.seq, audit.hash FROM chatops.audit ORDER BY audit.seq DESC LIMIT 1) AS last ON true;

-- name: export_audit
-- Rows after one of them, as the text that their hash covers, oldest first. By primary key.
SELECT seq, hash, jsonb_build_object(
    'seq', seq,
    'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'actor', actor,
    'event', event,
    'run_id', run_id,
    'details', details
)::text AS content
FROM chatops.audit
WHERE seq > %(after)s
ORDER BY seq
LIMIT %(limit)s;

-- name: read_audit_head
-- What the newest row is, as remembered apart from the rows. The one row.
SELECT seq, hash FROM chatops.audit_head;
