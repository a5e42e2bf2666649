-- What a person asked for, while a replica works on it: if the replica dies, the person is told what was interrupted.

ALTER TABLE chatops.deliveries ADD COLUMN request jsonb CHECK (jsonb_typeof(request) = 'object');
COMMENT ON COLUMN chatops.deliveries.request IS
'{"user": Slack id, "words": masked, "shown_by": what shows its effect, or null}; null once it is done.';
CREATE INDEX deliveries_interrupted_idx ON chatops.deliveries (claimed_until)
WHERE finished_at IS NULL AND request IS NOT NULL;
