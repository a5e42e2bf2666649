-- name: lock_migrations
-- One migrating process at a time. Held until the end of the transaction, so it works through any pooler.
SELECT pg_advisory_xact_lock(%(key)s::bigint);

-- name: prepare_migrations
-- The table as Supabase's CLI makes it, with our two columns; a table that exists is only widened.
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
-- The table of the bot's own migrations. Those that stand in Supabase's table, where former releases recorded them, are
-- copied; their rows stay there, so that such a release still knows them.
CREATE SCHEMA IF NOT EXISTS chatops;
CREATE TABLE chatops.migrations (
    version text NOT NULL PRIMARY KEY,
    name text NOT NULL,
    executed_at timestamptz NOT NULL DEFAULT now(),
    checksum text
);
REVOKE ALL ON chatops.migrations FROM PUBLIC;

-- name: copy_chatops_migrations
-- Once, in the transaction that makes the table. By primary key.
INSERT INTO chatops.migrations (version, name, executed_at, checksum)
SELECT version, coalesce(name, ''), coalesce(executed_at, to_timestamp(version, 'YYYYMMDDHH24MISS')), checksum
FROM supabase_migrations.schema_migrations
WHERE version = ANY (%(versions)s::text[]);

-- name: read_migration_tables
-- How many of the four columns Supabase's table has, 0 when there is no table; and whether the bot's own table is there.
-- The catalogue is visible to every role.
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
-- Whether our role may read Supabase's table of migrations. The catalogue is visible to every role.
SELECT EXISTS (
    SELECT FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'supabase_migrations' AND relname = 'schema_migrations'
        AND has_schema_privilege(pg_namespace.oid, 'USAGE') AND has_column_privilege(pg_class.oid, 'version', 'SELECT')
);

-- name: read_recorded
-- How many migrations of the operated system are recorded, and the newest in the order of their text; a few hundred rows.
SELECT count(*)::integer AS count, left(max(version COLLATE "C"), 200) AS head
FROM supabase_migrations.schema_migrations;

-- name: list_migrations
-- Every applied migration, oldest first; a few dozen rows, by the primary key. Rows that Supabase's CLI wrote do not
-- say when: the time in the version is the nearest that is known.
SELECT left(version, 200) AS version, left(coalesce(name, ''), 200) AS name,
       coalesce(executed_at, to_timestamp(version, 'YYYYMMDDHH24MISS')) AS executed_at, left(checksum, 200) AS checksum
FROM supabase_migrations.schema_migrations
ORDER BY version;

-- name: list_chatops_migrations
-- Every applied migration of the bot's own schema; a few dozen rows, by the primary key.
SELECT left(version, 200) AS version, left(name, 200) AS name, executed_at, left(checksum, 200) AS checksum
FROM chatops.migrations
ORDER BY version;

-- name: record_chatops_migration
-- Written in the transaction of the migration itself.
INSERT INTO chatops.migrations (version, name, executed_at, checksum)
VALUES (%(version)s, %(name)s, clock_timestamp(), %(checksum)s);

-- name: record_migration
-- Written in the transaction of the migration itself.
INSERT INTO supabase_migrations.schema_migrations (version, name, executed_at, checksum)
VALUES (%(version)s, %(name)s, clock_timestamp(), %(checksum)s);

-- name: forget_migration
-- Written in the transaction that rolls it back. By primary key.
DELETE FROM supabase_migrations.schema_migrations
WHERE version = %(version)s;

-- name: forget_chatops_migration
-- Written in the transaction that rolls it back. By primary key.
DELETE FROM chatops.migrations
WHERE version = %(version)s;

-- name: list_operated_tables
-- The tables that stand where ours go, a few by name; the catalogue is visible to every role.
SELECT nspname || '.' || relname AS name
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname IN ('ops', 'intake') AND relkind IN ('r', 'p')
ORDER BY name
LIMIT %(limit)s;

-- name: list_recorded_names
-- Every recorded migration, whatever columns the table has; a few dozen rows, by the primary key.
SELECT left(version, 200) AS version, left(coalesce(to_jsonb(migration) ->> 'name', ''), 200) AS name
FROM supabase_migrations.schema_migrations AS migration
ORDER BY version;
