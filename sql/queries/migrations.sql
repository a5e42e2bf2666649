-- name: lock_migrations
-- Let only one process migrate at a time. Held until the end of the transaction, so that it works through any pooler.
SELECT pg_advisory_xact_lock(%(key)s::bigint);

-- name: prepare_migrations
-- Create the table as Supabase's CLI does, with our two columns; an existing table only gets the missing columns.
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version text NOT NULL PRIMARY KEY,
    statements text[],
    name text
);
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS name text;
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS executed_at timestamptz;
ALTER TABLE supabase_migrations.schema_migrations ALTER COLUMN executed_at SET DEFAULT now();
ALTER TABLE supabase_migrations.schema_migrations ADD COLUMN IF NOT EXISTS checksum text;

-- name: prepare_chatops_migrations
-- Create the table of the bot's own migrations. Former releases recorded them in Supabase's table: those rows are
-- copied next, and stay there, so that such a release still knows them.
CREATE SCHEMA IF NOT EXISTS chatops;
CREATE TABLE chatops.migrations (
    version text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    executed_at timestamptz NOT NULL DEFAULT now(),
    checksum text
);
REVOKE ALL ON chatops.migrations FROM PUBLIC;

-- name: copy_chatops_migrations
-- Copy the rows once, in the transaction that creates the table. By primary key.
INSERT INTO chatops.migrations (version, name, executed_at, checksum)
SELECT version, coalesce(name, ''), coalesce(executed_at, to_timestamp(version, 'YYYYMMDDHH24MISS')), checksum
FROM supabase_migrations.schema_migrations
WHERE version = ANY (%(versions)s::text[]);

-- name: read_migration_tables
-- Return how many of the four columns Supabase's table has, 0 if there is no such table, and whether the bot's own
-- table exists. The catalog is visible to every role.
SELECT count(*) FILTER (
           WHERE nspname = 'supabase_migrations' AND relname = 'schema_migrations'
             AND attname IN ('version', 'name', 'executed_at', 'checksum') AND NOT attisdropped
       ) AS columns,
       coalesce(bool_or(nspname = 'chatops'), false) AS has_own
FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE (nspname, relname) IN (('supabase_migrations', 'schema_migrations'), ('chatops', 'migrations'));

-- name: may_read_recorded
-- True if our role may read Supabase's table of migrations. The catalog is visible to every role.
SELECT EXISTS (
    SELECT FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'supabase_migrations' AND relname = 'schema_migrations'
        AND has_schema_privilege(pg_namespace.oid, 'USAGE') AND has_column_privilege(pg_class.oid, 'version', 'SELECT')
);

-- name: read_recorded
-- Return how many migrations of the operated system are recorded, and the newest in the order of their text; a few
-- hundred rows.
SELECT count(*)::integer AS count, left(max(version COLLATE "C"), 200) AS head
FROM supabase_migrations.schema_migrations;

-- name: list_migrations
-- List the applied migrations, oldest first; a few dozen rows, by the primary key. Rows that Supabase's CLI wrote have
-- no time of execution; the time in the version is used instead.
SELECT left(version, 200) AS version, left(coalesce(name, ''), 200) AS name,
       coalesce(executed_at, to_timestamp(version, 'YYYYMMDDHH24MISS')) AS executed_at, left(checksum, 200) AS checksum
FROM supabase_migrations.schema_migrations
ORDER BY version;

-- name: list_chatops_migrations
-- List the applied migrations of the bot's own schema, oldest first; a few dozen rows, by the primary key.
SELECT left(version, 200) AS version, left(name, 200) AS name, executed_at, left(checksum, 200) AS checksum
FROM chatops.migrations
ORDER BY version;

-- name: record_chatops_migration
-- Record the migration, in its own transaction.
INSERT INTO chatops.migrations (version, name, executed_at, checksum)
VALUES (%(version)s, %(name)s, clock_timestamp(), %(checksum)s);

-- name: record_migration
-- Record the migration, in its own transaction.
INSERT INTO supabase_migrations.schema_migrations (version, name, executed_at, checksum)
VALUES (%(version)s, %(name)s, clock_timestamp(), %(checksum)s);

-- name: forget_migration
-- Delete the record of the migration, in the transaction that rolls it back. By primary key.
DELETE FROM supabase_migrations.schema_migrations
WHERE version = %(version)s;

-- name: forget_chatops_migration
-- Delete the record of the migration, in the transaction that rolls it back. By primary key.
DELETE FROM chatops.migrations
WHERE version = %(version)s;

-- name: list_operated_tables
-- List tables in `ops` and `intake`, whatever created them, at most `limit`. The catalog is visible to every role.
SELECT nspname || '.' || relname AS name
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname IN ('ops', 'intake') AND relkind IN ('r', 'p')
ORDER BY name
LIMIT %(limit)s;

-- name: list_recorded_names
-- List the recorded migrations, whatever columns the table has; a few dozen rows, by the primary key.
SELECT left(version, 200) AS version, left(coalesce(to_jsonb(migration) ->> 'name', ''), 200) AS name
FROM supabase_migrations.schema_migrations AS migration
ORDER BY version;
