-- What the bot's own tables need before the first one is made. The system that the bot operates makes the same with its
-- roles and schemas; one that stands already and is adopted does not.

GRANT USAGE ON SCHEMA chatops TO dragonfly_bot;

-- The bot's own tables, also those of later migrations.
ALTER DEFAULT PRIVILEGES IN SCHEMA chatops GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dragonfly_bot;
ALTER DEFAULT PRIVILEGES IN SCHEMA chatops GRANT USAGE, SELECT ON SEQUENCES TO dragonfly_bot;

-- What is applied, for `/dragonfly migrations`.
REVOKE ALL ON chatops.migrations FROM dragonfly_bot;
GRANT SELECT ON chatops.migrations TO dragonfly_bot;
