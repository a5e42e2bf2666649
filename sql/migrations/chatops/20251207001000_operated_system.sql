-- Which system the bot operates in this database: the one that our own migrations make, or one that stood already.

ALTER TABLE chatops.installation
ADD COLUMN system text NOT NULL DEFAULT 'runbook' CHECK (system ~ '^[a-z][a-z0-9-]{0,31}$');
