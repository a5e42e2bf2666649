-- A message that Slack refuses for what it says, or for where it goes, is not tried again for ever: it leaves the queue, is
-- told elsewhere, and comes back when its content changes or its channel is there again.

ALTER TABLE chatops.outbox
    ADD COLUMN refused_at timestamptz;  -- when Slack refused it for good; null while it is to be sent or was sent

CREATE INDEX outbox_refused_at_idx ON chatops.outbox (refused_at) WHERE refused_at IS NOT NULL;
