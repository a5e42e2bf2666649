-- affects: health, queue, security-audit, doctor, scale, and every count

-- name: read_server
-- Return our role, the database, its clock and version, and the schemas that we may use. The catalog is visible to
-- every role.
-- hidden_tables: those of these tables that we may read and in which row-level security applies to us without a policy
-- for all rows.
SELECT current_user::text AS current_user,
       current_database()::text AS database,
       now() AS server_time,
       current_setting('server_version') AS version,
       ARRAY(
           SELECT nspname::text
           FROM pg_namespace
           WHERE nspname = ANY (%(schemas)s::text[]) AND has_schema_privilege(oid, 'USAGE')
           ORDER BY nspname
       ) AS schemas,
       ARRAY(
           SELECT nspname || '.' || relname
           FROM pg_class AS relation
           JOIN pg_namespace ON pg_namespace.oid = relnamespace
           WHERE nspname || '.' || relname = ANY (%(tables)s::text[])
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
-- List those of these tables in which row-level security applies to us without a policy for all rows: a count of their
-- rows may be too low. The catalog is visible to every role.
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
-- List the roles of the API's and the workers' sessions, one row per process name and role. The name and role of a
-- session are visible to every role, but any role may choose such a name. A pooler may hide sessions.
SELECT DISTINCT left(split_part(application_name, ':', 1), 200) AS process, usename::text AS role
FROM pg_stat_activity
WHERE datname = current_database()
    AND (application_name LIKE 'dragonfly-api%' OR application_name LIKE 'dragonfly-worker%')
ORDER BY process, role
LIMIT 100;

-- name: read_connection_use
-- Return the number of client sessions on the whole server, and how many it allows to roles that are not superusers.
-- The statistics show every role the same; a pooler in front may allow fewer.
SELECT sum(numbackends)::integer AS used,
       current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS limit
FROM pg_stat_database;

-- name: read_database_gb
-- Return the size of this database in GB, indexes included. Every role that may connect may read it.
SELECT (pg_database_size(current_database()) / 1e9)::float8;

-- name: list_lock_waits
-- List locks that are waited for in this database, the longest wait first. pg_locks shows every session's locks to
-- every role; pg_stat_activity hides what other roles' sessions wait for, but not their pid, role and application. A
-- wait for a row is listed as a wait for a transaction; its table is that of the tuple lock.
SELECT waiting.pid,
       coalesce(nullif(activity.application_name, ''), activity.usename, 'unknown') AS application_name,
       waiting.mode,
       coalesce(waiting.relation, tuple.relation)::regclass::text AS relation,
       extract(epoch FROM clock_timestamp() - waiting.waitstart)::float8 AS waiting_s,
       pg_blocking_pids(waiting.pid) AS blocked_by
FROM pg_locks AS waiting
JOIN pg_stat_activity AS activity ON activity.pid = waiting.pid
LEFT JOIN pg_locks AS tuple
    ON tuple.pid = waiting.pid AND tuple.locktype = 'tuple' AND tuple.granted AND waiting.relation IS NULL
WHERE NOT waiting.granted AND activity.datname = current_database()
ORDER BY waiting.waitstart NULLS LAST
LIMIT 50;

-- name: list_exposures
-- List rights that no role should have, ordered by kind, object and role. From the catalog, which is visible to every
-- role; information_schema hides the grants of others. Effective rights: also those through PUBLIC and through
-- membership. `schemas`: those of the operated system; the bot's own is always included. `roles`: those that its
-- processes may connect as.
WITH strangers AS (
    SELECT 'public' AS role
    UNION ALL
    SELECT rolname::text FROM pg_roles WHERE rolname IN ('anon', 'authenticated')
),
closed AS (
    SELECT oid, nspname::text AS name
    FROM pg_namespace
    WHERE nspname = 'chatops' OR nspname = ANY (%(schemas)s::text[]) AND nspname <> 'public'
),
watched AS (
    SELECT oid, nspname::text AS name
    FROM pg_namespace
    WHERE nspname = 'chatops' OR nspname = ANY (%(schemas)s::text[])
)
SELECT 'grants' AS kind, closed.name || '.' || relname AS subject, role, string_agg(privilege, ', ' ORDER BY privilege) AS what
FROM closed
JOIN pg_class AS relation ON relnamespace = closed.oid AND relkind IN ('r', 'p', 'v', 'm', 'f')
CROSS JOIN strangers
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
WHERE CASE
    WHEN privilege IN ('DELETE', 'TRUNCATE', 'TRIGGER') THEN has_table_privilege(role, relation.oid, privilege)
    ELSE has_any_column_privilege(role, relation.oid, privilege)
END
GROUP BY closed.name, relname, role
UNION ALL
SELECT 'grants', closed.name, role, string_agg(privilege || ' on the schema', ', ' ORDER BY privilege)
FROM closed
CROSS JOIN strangers
CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS privilege
WHERE has_schema_privilege(role, closed.oid, privilege)
GROUP BY closed.name, role
UNION ALL
SELECT 'functions', closed.name || '.' || proname, role, 'EXECUTE'
FROM closed
JOIN pg_proc ON pronamespace = closed.oid AND prorettype <> 'trigger'::regtype
CROSS JOIN strangers
WHERE has_function_privilege(role, pg_proc.oid, 'EXECUTE')
UNION ALL
-- Supabase's API offers all of schema public to every client: a function with its owner's rights bypasses the rest.
SELECT 'functions', 'public.' || proname, role, 'EXECUTE with its owner''s rights'
FROM watched
JOIN pg_proc ON pronamespace = watched.oid
CROSS JOIN strangers
WHERE watched.name = 'public'
  AND prosecdef
  AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND has_function_privilege(role, pg_proc.oid, 'EXECUTE')
UNION ALL
-- Supabase grants anon and authenticated rights on every table of schema public: only row-level security stops them.
SELECT 'policies', watched.name || '.' || relname, role, 'is let in by policy ' || polname
FROM watched
JOIN pg_class ON relnamespace = watched.oid
JOIN pg_policy ON polrelid = pg_class.oid AND polpermissive
CROSS JOIN strangers
LEFT JOIN pg_roles ON rolname = role
WHERE coalesce(pg_roles.oid, 0) = ANY (polroles)
  AND coalesce(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), 'true') <> 'false'  -- no rows
UNION ALL
SELECT 'rls', watched.name || '.' || relname, '', 'row-level security is off'
FROM watched
JOIN pg_class ON relnamespace = watched.oid AND relkind IN ('r', 'p') AND NOT relrowsecurity
WHERE watched.name <> 'chatops'  -- only the bot's own role may use that schema
  -- The API loads raw rows with COPY, which row-level security forbids: accepted while strangers can't use the schema.
  AND NOT (
      watched.name = 'intake'
      AND relname = 'simplicity_raw_rows'
      AND NOT EXISTS (SELECT FROM strangers WHERE has_schema_privilege(role, watched.oid, 'USAGE'))
  )
UNION ALL
SELECT 'definer', watched.name || '.' || proname, '', 'SECURITY DEFINER without a search_path of its own'
FROM watched
JOIN pg_proc ON pronamespace = watched.oid AND prosecdef
WHERE NOT EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search\_path=%%')
UNION ALL
SELECT 'public_schema', 'public', role, 'CREATE on the schema'
FROM strangers
JOIN watched ON watched.name = 'public'
WHERE has_schema_privilege(role, watched.oid, 'CREATE')
UNION ALL
SELECT 'defaults', coalesce(closed.name, 'every schema'), coalesce(rolname::text, 'public'),
       string_agg(privilege_type, ', ' ORDER BY privilege_type) || ' on what is created there'
FROM pg_default_acl
CROSS JOIN aclexplode(defaclacl)
LEFT JOIN closed ON closed.oid = defaclnamespace
LEFT JOIN pg_roles ON pg_roles.oid = grantee
WHERE (closed.oid IS NOT NULL OR defaclnamespace = 0)
  AND (grantee = 0 OR rolname IN ('anon', 'authenticated'))
  -- Postgres itself lets PUBLIC execute functions and use types until that is revoked.
  AND NOT (defaclnamespace = 0 AND grantee = 0 AND defaclobjtype IN ('f', 'T'))
GROUP BY closed.name, rolname
UNION ALL
-- A view runs with its owner's rights, row-level security included, unless it is security_invoker, which a materialized
-- view can't be.
SELECT 'views', 'public.' || relname, role, 'reads it with its owner''s rights'
FROM watched
JOIN pg_class ON relnamespace = watched.oid
CROSS JOIN strangers
WHERE watched.name = 'public'
  AND relkind IN ('v', 'm')
  AND has_any_column_privilege(role, pg_class.oid, 'SELECT')
  AND (relkind = 'm' OR NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false))
UNION ALL
SELECT 'roles', rolname::text, '', concat_ws(', ',
    CASE WHEN rolsuper THEN 'is a superuser' END,
    CASE WHEN rolcreaterole THEN 'may create roles' END,
    CASE WHEN rolcreatedb THEN 'may create databases' END,
    CASE WHEN rolreplication THEN 'may replicate' END,
    CASE WHEN rolbypassrls AND rolname <> 'dragonfly_bot' THEN 'passes row-level security' END,
    (SELECT 'is a member of ' || string_agg(roleid::regrole::text, ', ' ORDER BY roleid::regrole::text)
     FROM pg_auth_members WHERE member = pg_roles.oid)
)
FROM pg_roles
WHERE (rolname IN ('dragonfly_bot', 'anon', 'authenticated') OR rolname = ANY (%(roles)s::text[]))
  AND (
      rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR (rolbypassrls AND rolname <> 'dragonfly_bot')
      OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid)
  )
UNION ALL
SELECT 'logins', rolname::text, rolname::text, CASE WHEN rolsuper THEN 'logs in as a superuser' ELSE 'can log in' END
FROM pg_roles
WHERE rolcanlogin
  AND NOT (
      rolname IN ('postgres', 'dragonfly_bot', 'authenticator', 'pgbouncer', 'dashboard_user')
      OR rolname = ANY (%(roles)s::text[])
      OR rolname LIKE 'supabase\_%%'
      OR oid = (SELECT datdba FROM pg_database WHERE datname = current_database())
  )
  AND (
      rolname IN ('anon', 'authenticated', 'service_role')
      OR EXISTS (SELECT FROM closed WHERE has_schema_privilege(pg_roles.oid, closed.oid, 'USAGE'))
  )
ORDER BY kind, subject, role;
