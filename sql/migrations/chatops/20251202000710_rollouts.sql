-- Deployments that somebody made, as Railway showed them: each is verified once and told in one message.
--
--   chatops.rollouts             one row a commit on its way to one or more services; open until it was told how it ended
--   chatops.rollout_deployments  every deployment that was ever seen. `rollout_id` is null for what was there before anybody
--                                watched, and for what one of our own runs made: that run verifies it and reports

CREATE TABLE chatops.rollouts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    commit_sha text,                                         -- null when Railway does not say
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,                                  -- when nothing of it was on its way any more
    closed_at timestamptz,
    outcome text,                                            -- one plain sentence, the message's first line
    CHECK ((closed_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX rollouts_open_idx ON chatops.rollouts (id) WHERE closed_at IS NULL;

CREATE TABLE chatops.rollout_deployments (
    deployment_id text PRIMARY KEY CHECK (deployment_id <> ''),
    service text NOT NULL CHECK (service <> ''),
    rollout_id bigint REFERENCES chatops.rollouts (id),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rollout_deployments_rollout_idx ON chatops.rollout_deployments (rollout_id) WHERE rollout_id IS NOT NULL;

-- Which run made a deployment: of all the steps that ever were, by the one value.
CREATE INDEX run_steps_deployment_idx ON chatops.run_steps ((evidence ->> 'deployment_id'))
    WHERE evidence ->> 'deployment_id' IS NOT NULL;
