-- A pager is told what became of a page, too: that somebody acknowledged it, or that it is over. One row each, so that it
-- is sent at least once as the page itself was. The order of the words is the order of a page's life.

CREATE TYPE chatops.page_event AS ENUM ('triggered', 'acknowledged', 'resolved');

ALTER TABLE chatops.notifications
    ADD COLUMN event chatops.page_event NOT NULL DEFAULT 'triggered',
    ADD COLUMN follows text REFERENCES chatops.notifications (key) ON DELETE CASCADE,  -- the page that the receiver knows it by
    ADD CONSTRAINT notifications_follows_check CHECK ((event = 'triggered') = (follows IS NULL));
CREATE INDEX notifications_follows_idx ON chatops.notifications (follows) WHERE follows IS NOT NULL;
