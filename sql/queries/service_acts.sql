-- affects: who stopped or deployed a service, in alerts and health

-- name: list_service_acts
-- List what our runs did to each service's deployments, at most `limit` per service, newest first: stops, starts,
-- rollbacks, deploys, restarts, redeploys. Served by run_steps_act_idx.
SELECT act.service, act.kind, act.run_id, act.deployment_id, act.ended_at AS at, run.requested_by_user AS by_user,
       run.requested_by_team AS by_team
FROM unnest(%(services)s::text[]) AS wanted (service)
CROSS JOIN LATERAL (
    SELECT
        done.step ->> 'service' AS service, done.step ->> 'kind' AS kind, done.run_id,
        done.evidence ->> 'deployment_id' AS deployment_id, done.ended_at
    FROM chatops.run_steps AS done
    WHERE
        done.state = 'done'
        AND done.step ->> 'kind' IN (
            'StopService', 'StartService', 'RollBackDeployment', 'DeployCommit', 'RestartDeployment', 'RedeployDeployment'
        )
        AND done.step ->> 'service' = wanted.service
    ORDER BY done.ended_at DESC
    LIMIT %(limit)s
) AS act
JOIN chatops.runs AS run ON run.id = act.run_id
ORDER BY act.ended_at DESC;
