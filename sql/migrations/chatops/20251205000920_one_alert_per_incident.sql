-- What a pager is told is one alert of it for each incident (or run), whatever the rounds: `alert_key` is the same for every
-- page to one target until the pager was told that somebody has it, or that it is over. `details`: severity and component.

ALTER TABLE chatops.notifications
    ADD COLUMN alert_key text,
    ADD COLUMN details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object');
