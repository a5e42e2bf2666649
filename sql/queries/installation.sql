-- affects: every change

-- name: name_environment
-- Record the database's environment and system when the bot is installed; an existing record stays. By primary key.
INSERT INTO chatops.installation (environment, system) VALUES (%(environment)s, %(system)s)
ON CONFLICT (only_row) DO NOTHING;

-- name: read_environment
-- Return the environment's name; no row before the installation. By primary key.
SELECT environment FROM chatops.installation WHERE only_row;

-- name: is_installed
-- True if the table for the record exists. The catalog is visible to every role.
SELECT to_regclass('chatops.installation') IS NOT NULL;
