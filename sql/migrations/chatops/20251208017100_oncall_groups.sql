-- Slack user groups that follow a rotation: for whom Slack was called last, so that it is called once per change.

CREATE TABLE chatops.oncall_groups (
    group_id text PRIMARY KEY CHECK (group_id <> ''),
    user_id text NOT NULL CHECK (user_id <> ''),                   -- who is to be in it
    problem text CHECK (problem <> '' AND length(problem) <= 300), -- why they are not, of which the channel knows; NULL: they are
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
REVOKE ALL ON chatops.oncall_groups FROM dragonfly_bot;
GRANT SELECT, INSERT, UPDATE (user_id, problem, tried_at) ON chatops.oncall_groups TO dragonfly_bot;
