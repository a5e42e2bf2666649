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

-- name: count_migration_columns
-- How many of the four columns the table has: 0 when there is no table. The catalogue is visible to every role.
SELECT count(*)
FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'supabase_migrations' AND relname = 'schema_migrations'
  AND attname IN ('version', 'name', 'executed_at', 'checksum') AND NOT attisdropped;

-- name: list_migrations
-- Every applied migration, oldest first; a few dozen rows, by the primary key. Rows that Supabase's CLI wrote do not
-- say when: the time in the version is the nearest that is known.
SELECT left(version, 200) AS version, left(coalesce(name, ''), 200) AS name,
       coalesce(executed_at, to_timestamp(version, 'YYYYMMDDHH24MISS')) AS executed_at, left(checksum, 200) AS checksum
FROM supabase_migrations.schema_migrations
ORDER BY version;

-- name: record_migration
-- Written in the transaction of the migration itself.
INSERT INTO supabase_migrations.schema_migrations (version, name, executed_at, checksum)
VALUES (%(version)s, %(name)s, clock_timestamp(), %(checksum)s);

-- name: forget_migration
-- Written in the transaction that rolls it back. By primary key.
DELETE FROM supabase_migrations.schema_migrations
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
