-- name: read_server
-- Who we are and what we may use. The schemas are the runbook's four; the catalogue is visible to every role.
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
       (SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = current_user) AS bypass_rls;
