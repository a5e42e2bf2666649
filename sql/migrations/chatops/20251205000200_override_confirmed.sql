-- Whether whoever was put on call knows of it.
--
--   chatops.oncall_overrides.confirmed_at   when they said that they take it; null until then

ALTER TABLE chatops.oncall_overrides ADD COLUMN confirmed_at timestamptz;

GRANT UPDATE (confirmed_at) ON chatops.oncall_overrides TO dragonfly_bot;
