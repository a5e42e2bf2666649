-- When a deployment began to serve: what failed, was replaced or never arrived has no lead time. And commits that GitHub
-- does not know are asked for again, because GITHUB_REPO may have been wrong.

ALTER TABLE chatops.rollouts ADD COLUMN served_at timestamptz;
COMMENT ON COLUMN chatops.rollouts.served_at IS 'When all of its services served it; null: they never did, or it is unknown.';
UPDATE chatops.rollouts SET served_at = settled_at
WHERE outcome LIKE 'Verified: %' OR outcome LIKE 'Verified with a warning: %';

COMMENT ON COLUMN chatops.commits.read_at IS 'When GitHub was asked last.';
GRANT UPDATE (committed_at, read_at) ON chatops.commits TO dragonfly_bot;
