-- A direct message has a link to the message that it is about. Its address is known once Slack has that one, so the link is
-- made when the direct message is sent; where it went out first, it is edited then.

ALTER TABLE chatops.outbox
    ADD COLUMN link_key text;  -- the message to which a button of this one leads; null when none does

CREATE INDEX outbox_link_key_idx ON chatops.outbox (link_key) WHERE link_key IS NOT NULL;
