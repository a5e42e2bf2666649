-- Since when the cause of an incident lasts: it stands beside the cause in the message's first line. Rows of before keep
-- the moment within the words of their cause.

ALTER TABLE chatops.incidents ADD COLUMN diagnosed_since timestamptz;

COMMENT ON COLUMN chatops.incidents.diagnosed_since IS
'Since when the cause in diagnosis lasts; NULL when that is not known.';

GRANT UPDATE (diagnosed_since) ON chatops.incidents TO dragonfly_bot;
