-- Schemas and roles. Passwords are not set here: whoever installs the system sets them (ALTER ROLE … PASSWORD).
--
--   dragonfly_app   the API and the workers; passes row-level security through policies
--   dragonfly_bot   the bot: reads the columns that its queries name, writes schema chatops only
--   anon, authenticated, service_role   Supabase's own; they exist there, and are made elsewhere
--
-- Needs CREATEROLE, never superuser. A database of an older server may not let us grant BYPASSRLS: the policies for
-- dragonfly_bot give it the same rows.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['dragonfly_app', 'dragonfly_bot', 'anon', 'authenticated', 'service_role'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s', wanted,
                    CASE WHEN wanted LIKE 'dragonfly%' THEN 'LOGIN' ELSE 'NOLOGIN' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this cluster is being migrated at the same moment
            END;
        END IF;
    END LOOP;
    IF NOT (SELECT rolbypassrls FROM pg_roles WHERE rolname = 'dragonfly_bot') THEN
        BEGIN
            ALTER ROLE dragonfly_bot BYPASSRLS;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'dragonfly_bot gets no BYPASSRLS; its policies give it the same rows';
        END;
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS ops;
CREATE SCHEMA IF NOT EXISTS intake;
CREATE SCHEMA IF NOT EXISTS enforcement;
CREATE SCHEMA IF NOT EXISTS chatops;

REVOKE ALL ON SCHEMA ops, intake, enforcement, chatops FROM PUBLIC, anon, authenticated;

GRANT USAGE ON SCHEMA ops, intake, enforcement, public TO dragonfly_app;
GRANT USAGE ON SCHEMA ops, intake, enforcement, public, chatops TO dragonfly_bot;

-- The bot's own tables, also those of later migrations.
ALTER DEFAULT PRIVILEGES IN SCHEMA chatops GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dragonfly_bot;
ALTER DEFAULT PRIVILEGES IN SCHEMA chatops GRANT USAGE, SELECT ON SEQUENCES TO dragonfly_bot;

-- What is applied, for `/dragonfly migrations`.
GRANT USAGE ON SCHEMA supabase_migrations TO dragonfly_bot;
GRANT SELECT (version, name, executed_at, checksum) ON supabase_migrations.schema_migrations TO dragonfly_bot;
