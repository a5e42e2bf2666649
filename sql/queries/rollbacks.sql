-- name: forget_migration
-- Written in the transaction that rolls it back. By primary key.
DELETE FROM supabase_migrations.schema_migrations
WHERE version = %(version)s;

-- name: forget_chatops_migration
-- Written in the transaction that rolls it back. By primary key.
DELETE FROM chatops.migrations
WHERE version = %(version)s;
