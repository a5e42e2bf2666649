-- name: hand_over_statements
-- Pass the statements to `explain_statements`, which can't take parameters, in a setting of the transaction.
SELECT set_config('chatops.statements', %(statements)s::text, true);

-- name: explain_statements
-- Plan each statement as our role and run none: one round trip for any number of statements. Those that the server
-- refuses are stored in a setting of the transaction as {name: [SQLSTATE, message]}.
DO $$
DECLARE
    v_refused jsonb := '{}';
    v_name text;
    v_sql text;
BEGIN
    FOR v_name, v_sql IN SELECT key, value FROM jsonb_each_text(current_setting('chatops.statements')::jsonb) LOOP
        BEGIN
            EXECUTE 'EXPLAIN ' || v_sql;
        EXCEPTION WHEN OTHERS THEN
            v_refused := v_refused || jsonb_build_object(v_name, jsonb_build_array(SQLSTATE, SQLERRM));
        END;
    END LOOP;
    PERFORM set_config('chatops.refused', v_refused::text, true);
END
$$;

-- name: read_refused_statements
-- Return what `explain_statements` stored.
SELECT current_setting('chatops.refused')::jsonb;

-- name: list_missing_rights
-- List those of these rights that a role lacks, in the given order, from the catalog. A function counts as callable if
-- any of its overloads is. `ROWS`: the role can see the table's rows, because row-level security is off, a policy
-- allows it, or the role bypasses it.
SELECT wanted.privilege, wanted.subject
FROM unnest(%(privileges)s::text[], %(subjects)s::text[]) WITH ORDINALITY AS wanted (privilege, subject, position)
LEFT JOIN pg_roles AS role ON role.rolname = %(role)s
LEFT JOIN pg_namespace AS schema ON wanted.privilege = 'USAGE' AND schema.nspname = wanted.subject
LEFT JOIN pg_class AS relation ON relation.oid = to_regclass(wanted.subject)
WHERE role.oid IS NULL OR NOT CASE wanted.privilege
    WHEN 'USAGE' THEN coalesce(has_schema_privilege(role.oid, schema.oid, 'USAGE'), false)
    WHEN 'EXECUTE' THEN EXISTS (
        SELECT FROM pg_proc
        JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname || '.' || proname = wanted.subject AND has_function_privilege(role.oid, pg_proc.oid, 'EXECUTE')
    )
    WHEN 'DELETE' THEN coalesce(has_table_privilege(role.oid, relation.oid, 'DELETE'), false)
    WHEN 'ROWS' THEN coalesce(NOT relation.relrowsecurity, true) OR role.rolbypassrls OR EXISTS (
        SELECT FROM pg_policy WHERE polrelid = relation.oid AND (polroles @> ARRAY[0::oid] OR polroles @> ARRAY[role.oid])
    )
    ELSE coalesce(has_any_column_privilege(role.oid, relation.oid, wanted.privilege), false)
END
ORDER BY wanted.position;
