-- name: read_server
-- Who we are and what we may use. The schemas are the runbook's four; the catalogue is visible to every role.
-- hidden_tables: those that we read and in which row-level security applies to us without a policy for all rows.
SELECT current_user::text AS current_user,
       current_database()::text AS database,
       now() AS server_time,
       current_setting('server_version') AS version,
       ARRAY(
           SELECT nspname::text
           FROM pg_namespace
           WHERE nspname IN ('public', 'ops', 'intake', 'enforcement') AND has_schema_privilege(oid, 'USAGE')
           ORDER BY nspname
       ) AS schemas,
       ARRAY(
           SELECT nspname || '.' || relname
           FROM pg_class AS relation
           JOIN pg_namespace ON pg_namespace.oid = relnamespace
           WHERE nspname IN ('public', 'ops', 'intake', 'enforcement')
             AND relkind IN ('r', 'p')
             AND has_any_column_privilege(relation.oid, 'SELECT')
             AND row_security_active(relation.oid)
             AND (
                 SELECT coalesce(bool_or(polpermissive AND pg_get_expr(polqual, polrelid) = 'true'), false)
                     AND bool_and(polpermissive)
                 FROM pg_policy
                 WHERE polrelid = relation.oid
                   AND polcmd IN ('r', '*')
                   AND EXISTS (
                       SELECT FROM unnest(polroles) AS role WHERE role = 0 OR pg_has_role(role, 'USAGE')
                   )
             ) IS NOT TRUE
           ORDER BY 1
       ) AS hidden_tables;

-- name: list_hidden_tables
-- Those of these tables in which row-level security applies to us without a policy for all rows: what is counted there may
-- be too low. The catalogue is visible to every role.
SELECT nspname || '.' || relname
FROM pg_class AS relation
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname || '.' || relname = ANY (%(tables)s::text[])
    AND row_security_active(relation.oid)
    AND (
        SELECT coalesce(bool_or(polpermissive AND pg_get_expr(polqual, polrelid) = 'true'), false)
            AND bool_and(polpermissive)
        FROM pg_policy
        WHERE polrelid = relation.oid
            AND polcmd IN ('r', '*')
            AND EXISTS (SELECT FROM unnest(polroles) AS role WHERE role = 0 OR pg_has_role(role, 'USAGE'))
    ) IS NOT TRUE
ORDER BY 1;

-- name: list_session_roles
-- As which role each of our processes is connected, one row a process name and role. Their names begin as the runbook
-- looks for them; the role and the name of a session are visible to every role, and any role may choose such a name.
SELECT DISTINCT left(split_part(application_name, ':', 1), 200) AS process, usename::text AS role
FROM pg_stat_activity
WHERE datname = current_database()
    AND (application_name LIKE 'dragonfly-api%' OR application_name LIKE 'dragonfly-worker%')
ORDER BY process, role
LIMIT 100;
