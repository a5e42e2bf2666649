-- What most likely causes an incident, and the first thing to do about it: found once by the leader, read by the root
-- message and by whoever takes over.

ALTER TABLE chatops.incidents
    ADD COLUMN diagnosis text CHECK (diagnosis <> ''),  -- one line of plain text; null: not known yet, or no cause found
    ADD COLUMN remedy text CHECK (remedy <> '');        -- a command line ("rollback ingest to 8d02b64e"); null: none fits

GRANT UPDATE (diagnosis, remedy) ON chatops.incidents TO dragonfly_bot;
