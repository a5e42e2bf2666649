-- An environment's name is checked where the list is, in services/domain/environments.py, so that another one needs no
-- migration. Here only its form is checked.

ALTER TABLE chatops.installation
DROP CONSTRAINT installation_environment_check,
ADD CONSTRAINT installation_environment_check CHECK (environment ~ '^[a-z][a-z0-9-]{0,31}$');
