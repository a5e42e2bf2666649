-- affects: audit, and every change

-- name: append_audit
-- Append a row to the chain and return its hash. Other appends wait until this transaction ends.
SELECT chatops.append_audit(%(actor)s, %(event)s, %(run_id)s, %(details)s);

-- name: count_acts
-- Count how often the actor did this within the window: to one incident, or, if `incident_id` is null, at all. Rows
-- dated in the future, because the database's clock has stepped back since, do not count. Served by audit_actor_idx.
SELECT count(*)
FROM chatops.audit
WHERE actor = %(actor)s AND event = %(event)s
    AND at > statement_timestamp() - %(window)s::interval AND at <= statement_timestamp()
    AND (%(incident_id)s::bigint IS NULL OR details -> 'incident' = to_jsonb(%(incident_id)s::bigint));

-- name: list_audit
-- List the newest rows. By primary key, backwards.
SELECT seq, at, actor, event, run_id, details, hash
FROM chatops.audit
ORDER BY seq DESC
LIMIT %(limit)s;

-- name: list_audit_of_run
-- List the newest rows of one run. Served by audit_run_id_idx.
SELECT seq, at, actor, event, run_id, details, hash
FROM chatops.audit
WHERE run_id = %(run_id)s
ORDER BY seq DESC
LIMIT %(limit)s;

-- name: check_audit
-- Check the whole chain in one pass, and return the newest row with its separately stored copy. `remembered`: the
-- beginning of a hash to look for. By primary key.
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
-- List the rows after the row number `after`, oldest first, with the text that their hash covers. By primary key.
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
-- Return the number and hash of the newest row, as stored separately from the rows. The table has one row.
SELECT seq, hash FROM chatops.audit_head;
