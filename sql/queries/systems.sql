-- affects: recognizing the operated system

-- name: list_standing_columns
-- List the columns of these tables that exist, as schema.table.column. The catalog is visible to every role; of the
-- bot's own schema only columns that our role may read are listed.
SELECT nspname || '.' || relname || '.' || attname AS name
FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p')
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE attnum > 0 AND NOT attisdropped AND nspname || '.' || relname = ANY (%(tables)s::text[])
    AND (
        nspname <> 'chatops'
        OR has_schema_privilege(pg_namespace.oid, 'USAGE') AND has_column_privilege(pg_class.oid, attnum, 'SELECT')
    )
ORDER BY name;

-- name: read_adopted_system
-- Return the system for which the bot was installed; no row before that. By primary key.
SELECT system FROM chatops.installation WHERE only_row;
