-- How many events of Railway's webhook were shown per hour, whichever replica took them: the webhook is unsigned, and a flood
-- of events must not become a flood of messages.

CREATE TABLE chatops.railway_notices (
    hour timestamptz NOT NULL,
    is_known boolean NOT NULL,
    taken integer NOT NULL CHECK (taken > 0),
    PRIMARY KEY (hour, is_known)
);
COMMENT ON COLUMN chatops.railway_notices.is_known IS 'Events of kinds that the bot knows are counted by themselves: no others hide them.';
COMMENT ON COLUMN chatops.railway_notices.taken IS 'Different events of that hour, also those that were only counted.';
REVOKE ALL ON chatops.railway_notices FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (taken), DELETE ON chatops.railway_notices TO dragonfly_bot;
