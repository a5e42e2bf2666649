-- A command files one run, however often it has to be tried: the answer to a COMMIT may be lost, and Slack delivers again.
-- `delivery` is the key of what Slack delivered (chatops.deliveries), or of one call on a terminal; null before this.

ALTER TABLE chatops.runs ADD COLUMN delivery text CHECK (length(delivery) BETWEEN 1 AND 500);
CREATE UNIQUE INDEX runs_delivery_idx ON chatops.runs (delivery) WHERE delivery IS NOT NULL;
