-- name: has_bot_role
-- Return whether the role passes row-level security; no row if the role does not exist.
SELECT rolbypassrls FROM pg_roles WHERE rolname = 'dragonfly_bot';

-- name: create_bot_role
-- Create the role without a password, so that no one can log in as it yet.
CREATE ROLE dragonfly_bot LOGIN;

-- name: list_outside
-- List everything outside the bot's schema, one line per object, without dragonfly_bot's own rights and policies: an
-- adoption must leave all of it unchanged. From the catalog, which is visible to every role, and from the statistics of
-- this transaction's writes.
WITH outside AS (
    SELECT oid, nspname::text AS name, nspowner, nspacl
    FROM pg_namespace
    WHERE nspname NOT IN ('chatops', 'information_schema') AND nspname NOT LIKE 'pg\_%'
),
relation AS (
    SELECT pg_class.oid, relkind, relowner, relrowsecurity, relforcerowsecurity, relhastriggers, relhasrules, reloptions,
        relacl, outside.name || '.' || relname AS name
    FROM pg_class
    JOIN outside ON outside.oid = relnamespace
)
SELECT concat_ws(' ', 'schema', name, nspowner::regrole, (
    SELECT string_agg(one::text, ',' ORDER BY one::text)
    FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) AS one WHERE one::text NOT LIKE 'dragonfly\_bot=%'
)) AS line
FROM outside
UNION ALL
SELECT concat_ws(' ', 'relation', name, relkind, relowner::regrole, relrowsecurity, relforcerowsecurity, relhastriggers,
    relhasrules, reloptions, (
    SELECT string_agg(one::text, ',' ORDER BY one::text)
    FROM unnest(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS one
    WHERE one::text NOT LIKE 'dragonfly\_bot=%'
))
FROM relation
UNION ALL
SELECT concat_ws(' ', 'column', name, attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, attisdropped, (
    SELECT string_agg(one::text, ',' ORDER BY one::text) FROM unnest(attacl) AS one
    WHERE one::text NOT LIKE 'dragonfly\_bot=%'
))
FROM pg_attribute
JOIN relation ON relation.oid = attrelid
WHERE attnum > 0
UNION ALL
SELECT concat_ws(' ', 'default', name, adnum, md5(pg_get_expr(adbin, adrelid)))
FROM pg_attrdef
JOIN relation ON relation.oid = adrelid
UNION ALL
SELECT concat_ws(' ', 'function', outside.name, pg_proc.oid::regprocedure, proowner::regrole, prosecdef, md5(prosrc),
    proconfig, (
    SELECT string_agg(one::text, ',' ORDER BY one::text)
    FROM unnest(coalesce(proacl, acldefault('f', proowner))) AS one WHERE one::text NOT LIKE 'dragonfly\_bot=%'
))
FROM pg_proc
JOIN outside ON outside.oid = pronamespace
UNION ALL
SELECT concat_ws(' ', 'policy', name, polname, polcmd, polpermissive, polroles::regrole[],
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy
JOIN relation ON relation.oid = polrelid
WHERE polname NOT LIKE 'dragonfly\_bot\_%'
UNION ALL
SELECT concat_ws(' ', 'constraint', outside.name, conrelid::regclass, conname, md5(pg_get_constraintdef(pg_constraint.oid)))
FROM pg_constraint
JOIN outside ON outside.oid = connamespace
UNION ALL
SELECT concat_ws(' ', 'trigger', name, tgname, tgenabled, tgfoid::regproc)
FROM pg_trigger
JOIN relation ON relation.oid = tgrelid
UNION ALL
SELECT concat_ws(' ', 'rule', name, rulename)
FROM pg_rewrite
JOIN relation ON relation.oid = ev_class
UNION ALL
SELECT concat_ws(' ', 'type', outside.name, typname, typowner::regrole)
FROM pg_type
JOIN outside ON outside.oid = typnamespace
UNION ALL
SELECT concat_ws(' ', 'role', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
    rolbypassrls, rolconfig)
FROM pg_roles
WHERE rolname <> 'dragonfly_bot'
UNION ALL
SELECT concat_ws(' ', 'member', member::regrole, roleid::regrole)
FROM pg_auth_members
WHERE roleid::regrole::text <> 'dragonfly_bot'
UNION ALL
SELECT concat_ws(' ', 'default privileges', defaclrole::regrole, coalesce(outside.name, 'everywhere'), defaclobjtype, defaclacl)
FROM pg_default_acl
LEFT JOIN outside ON outside.oid = defaclnamespace
WHERE defaclnamespace = 0 OR outside.oid IS NOT NULL
UNION ALL
SELECT concat_ws(' ', 'extension', extname, extversion) FROM pg_extension
UNION ALL
SELECT concat_ws(' ', 'event trigger', evtname, evtenabled) FROM pg_event_trigger
UNION ALL
SELECT concat_ws(' ', 'publication', pubname, puballtables) FROM pg_publication
UNION ALL
SELECT concat_ws(' ', 'rows written in', schemaname || '.' || relname)
FROM pg_stat_xact_user_tables
WHERE schemaname <> 'chatops' AND n_tup_ins + n_tup_upd + n_tup_del > 0
ORDER BY 1;

-- name: list_excess_rights
-- List the rights that an adoption must not give dragonfly_bot: anything outside its own schema except to read,
-- policies of its name that allow more than its own reads, and role attributes such as SUPERUSER.
WITH outside AS (
    SELECT oid FROM pg_namespace WHERE nspname NOT IN ('chatops', 'information_schema') AND nspname NOT LIKE 'pg\_%'
),
rights AS (
    SELECT oid::regclass::text AS subject, relacl AS acl FROM pg_class WHERE relnamespace IN (SELECT oid FROM outside)
    UNION ALL
    SELECT attrelid::regclass || '.' || attname, attacl
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace IN (SELECT oid FROM outside)
    UNION ALL
    SELECT nspname::text, nspacl FROM pg_namespace WHERE oid IN (SELECT oid FROM outside)
    UNION ALL
    SELECT oid::regprocedure::text, proacl FROM pg_proc WHERE pronamespace IN (SELECT oid FROM outside)
)
SELECT privilege_type || ' on ' || subject AS line
FROM rights
CROSS JOIN aclexplode(acl)
WHERE grantee::regrole::text = 'dragonfly_bot' AND (privilege_type NOT IN ('SELECT', 'USAGE') OR is_grantable)
UNION ALL
SELECT 'policy ' || polname || ' on ' || polrelid::regclass
FROM pg_policy
WHERE polname LIKE 'dragonfly\_bot\_%' AND (polcmd <> 'r' OR polroles::regrole[]::text <> '{dragonfly_bot}')
UNION ALL
SELECT 'role attribute ' || attribute
FROM pg_roles
CROSS JOIN LATERAL (VALUES
    ('SUPERUSER', rolsuper), ('CREATEROLE', rolcreaterole), ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication),
    ('BYPASSRLS', rolbypassrls)
) AS attributes (attribute, is_set)
WHERE rolname = 'dragonfly_bot' AND is_set
ORDER BY line;
