-- Takes away everything that `dragonfly adopt` made: the bot's schema with its history, its rights and policies, its role.
-- Stop the bot first, and keep `dragonfly audit export` if the history matters. Run as who adopted.

BEGIN;
DROP SCHEMA IF EXISTS chatops CASCADE;
GRANT dragonfly_bot TO CURRENT_USER;
DROP OWNED BY dragonfly_bot;
DROP ROLE dragonfly_bot;
COMMIT;
