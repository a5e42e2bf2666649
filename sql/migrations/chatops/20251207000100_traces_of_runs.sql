-- Where a run's trace goes on: the replica that decides or carries it out is seldom the one that filed it.

ALTER TABLE chatops.runs ADD COLUMN traceparent text
    CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
COMMENT ON COLUMN chatops.runs.traceparent IS 'W3C trace context of the request; null while traces are off.';
GRANT UPDATE (traceparent) ON chatops.runs TO dragonfly_bot;
