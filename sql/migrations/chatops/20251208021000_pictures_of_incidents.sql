-- The hour before and after an incident as its root message shows it once it is over: drawn by the leader, so that
-- whichever replica writes the message again shows the same.

ALTER TABLE chatops.incidents
    ADD COLUMN picture jsonb CHECK (jsonb_typeof(picture) = 'array'),
    ADD COLUMN pictured_at timestamptz,
    ADD CONSTRAINT incidents_picture_whole CHECK ((picture IS NULL) = (pictured_at IS NULL));

COMMENT ON COLUMN chatops.incidents.picture IS
'Slack blocks: the hour before and after it opened; NULL until it was over, or while too little was recorded.';
COMMENT ON COLUMN chatops.incidents.pictured_at IS 'When picture was drawn: what happened after it is not in it.';

GRANT UPDATE (picture, pictured_at) ON chatops.incidents TO dragonfly_bot;
