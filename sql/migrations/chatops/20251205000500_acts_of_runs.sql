-- What a run of ours did to a service last: whether a worker that does not run was stopped on purpose, and which run made
-- the deployment that serves. The journal has it; this finds the newest of one service among all that ever were.

CREATE INDEX run_steps_act_idx ON chatops.run_steps ((step ->> 'service'), ended_at DESC)
    WHERE state = 'done' AND step ->> 'kind' IN (
        'StopService', 'StartService', 'RollBackDeployment', 'DeployCommit', 'RestartDeployment', 'RedeployDeployment'
    );
