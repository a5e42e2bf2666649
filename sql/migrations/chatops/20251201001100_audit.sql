-- The audit log: append-only, and a chain. Each row's hash covers the hash before it, so that a row that was changed or
-- taken out shows; `audit_head` remembers the newest, so that a cut-off end shows too.
--
--   chatops.append_audit(p_actor text, p_event text, p_run_id bigint, p_details jsonb) -> the new row's hash
--       the only way in; holds a lock until the end of the transaction, because the next row needs this one's hash

CREATE TABLE chatops.audit (
    seq bigint PRIMARY KEY CHECK (seq > 0),                  -- without gaps
    at timestamptz NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),                 -- a Slack user id, "terminal", or the bot's own replica
    event text NOT NULL CHECK (event <> ''),                 -- "run.approved"
    run_id bigint REFERENCES chatops.runs (id),
    details jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object'),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$')
);
CREATE INDEX audit_run_id_idx ON chatops.audit (run_id, seq) WHERE run_id IS NOT NULL;

CREATE TABLE chatops.audit_head (
    is_the_one boolean PRIMARY KEY DEFAULT true CHECK (is_the_one),
    seq bigint NOT NULL CHECK (seq >= 0),
    hash text NOT NULL
);
INSERT INTO chatops.audit_head (seq, hash) VALUES (0, '');

-- SHA-256 over the hash before, followed by the row as JSON. The time is written out in UTC, because jsonb would use the
-- session's time zone.
CREATE FUNCTION chatops.hash_audit_row(
    p_before text, p_seq bigint, p_at timestamptz, p_actor text, p_event text, p_run_id bigint, p_details jsonb
)
RETURNS text
LANGUAGE sql STABLE
RETURN encode(sha256(convert_to(p_before || jsonb_build_object(
    'seq', p_seq,
    'at', to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'actor', p_actor,
    'event', p_event,
    'run_id', p_run_id,
    'details', p_details
)::text, 'UTF8')), 'hex');

CREATE FUNCTION chatops.append_audit(p_actor text, p_event text, p_run_id bigint, p_details jsonb)
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_head chatops.audit_head;
    v_at timestamptz;
    v_hash text;
BEGIN
    SELECT * INTO STRICT v_head FROM chatops.audit_head FOR UPDATE;
    v_at := clock_timestamp();
    v_hash := chatops.hash_audit_row(v_head.hash, v_head.seq + 1, v_at, p_actor, p_event, p_run_id, p_details);
    INSERT INTO chatops.audit (seq, at, actor, event, run_id, details, hash)
    VALUES (v_head.seq + 1, v_at, p_actor, p_event, p_run_id, p_details, v_hash);
    UPDATE chatops.audit_head SET seq = v_head.seq + 1, hash = v_hash;
    RETURN v_hash;
END
$$;

CREATE FUNCTION chatops.keep_audit() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: no %', lower(TG_OP) USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON chatops.audit
    FOR EACH STATEMENT EXECUTE FUNCTION chatops.keep_audit();
CREATE TRIGGER keep_audit_head BEFORE INSERT OR DELETE OR TRUNCATE ON chatops.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION chatops.keep_audit();

REVOKE ALL ON chatops.audit, chatops.audit_head FROM dragonfly_bot;
GRANT SELECT ON chatops.audit, chatops.audit_head TO dragonfly_bot;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA chatops FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chatops.append_audit(text, text, bigint, jsonb),
    chatops.hash_audit_row(text, bigint, timestamptz, text, text, bigint, jsonb) TO dragonfly_bot;
