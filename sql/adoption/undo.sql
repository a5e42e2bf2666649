-- Removes everything that `dragonfly adopt` created: the bot's schema with its history, its rights and policies, its role.
-- Stop the bot first, and save `dragonfly audit export` if you need the history. Run it as the role that ran `adopt`.

BEGIN;
DROP SCHEMA IF EXISTS chatops CASCADE;
GRANT dragonfly_bot TO CURRENT_USER;
DROP OWNED BY dragonfly_bot;
DROP ROLE dragonfly_bot;
COMMIT;
