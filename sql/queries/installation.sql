-- affects: every change

-- name: name_environment
-- Written once, when the system is installed; a name that is there stays. By primary key.
INSERT INTO chatops.installation (environment, system) VALUES (%(environment)s, %(system)s)
ON CONFLICT (only_row) DO NOTHING;

-- name: read_environment
-- The one row, or none before the installation. By primary key.
SELECT environment FROM chatops.installation WHERE only_row;

-- name: is_installed
-- Whether the table is there. The catalogue is visible to every role.
SELECT to_regclass('chatops.installation') IS NOT NULL;
