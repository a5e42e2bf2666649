-- affects: messages about deployments

-- name: is_first_watch
-- True if no deployment was ever recorded.
SELECT NOT EXISTS (SELECT FROM chatops.rollout_deployments) AS is_first;

-- name: list_seen_deployments
-- List those of these deployments that were seen before. By primary key.
SELECT deployment_id
FROM chatops.rollout_deployments
WHERE deployment_id = ANY (%(deployment_ids)s::text[]);

-- name: list_own_deployments
-- List those of these deployments that a run of ours made. Served by run_steps_deployment_idx.
SELECT DISTINCT evidence ->> 'deployment_id'
FROM chatops.run_steps
WHERE evidence ->> 'deployment_id' = ANY (%(deployment_ids)s::text[]);

-- name: list_taken_services
-- List the services that started runs hold: a new deployment there may be theirs. At most one row per service.
SELECT service FROM chatops.run_services;

-- name: list_open_rollouts
-- List the external deployments that are still open, oldest first, with the newest deployment of each service. Served
-- by rollouts_open_idx and rollout_deployments_rollout_idx.
SELECT rollout.id, rollout.commit_sha, rollout.opened_at, rollout.settled_at,
       jsonb_object_agg(newest.service, newest.deployment_id) AS deployments
FROM chatops.rollouts AS rollout
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (service) service, deployment_id
    FROM chatops.rollout_deployments
    WHERE rollout_id = rollout.id
    ORDER BY service, seen_at DESC
) AS newest
WHERE rollout.closed_at IS NULL
GROUP BY rollout.id
ORDER BY rollout.id;

-- name: open_rollout
-- Store a new external deployment and return its id.
INSERT INTO chatops.rollouts (commit_sha) VALUES (%(commit_sha)s) RETURNING id;

-- name: remember_deployment
-- Record that a deployment was seen; nothing changes if it was recorded before. By primary key.
INSERT INTO chatops.rollout_deployments (deployment_id, service, rollout_id)
VALUES (%(deployment_id)s, %(service)s, %(rollout_id)s)
ON CONFLICT (deployment_id) DO NOTHING;

-- name: settle_rollout
-- Record whether the external deployment has settled and whether it serves everywhere; the first time of each is kept.
-- settled_at is cleared if it is not settled any more, served_at if it neither serves nor is settled. By primary key.
UPDATE chatops.rollouts
SET settled_at = CASE WHEN %(is_settled)s THEN coalesce(settled_at, clock_timestamp()) END,
    served_at = CASE
        WHEN %(serves)s THEN coalesce(served_at, clock_timestamp())
        WHEN %(is_settled)s THEN served_at
    END
WHERE id = %(id)s AND closed_at IS NULL;

-- name: close_rollout
-- Store the outcome; no row if it was closed before. By primary key.
UPDATE chatops.rollouts
SET closed_at = clock_timestamp(), outcome = %(outcome)s
WHERE id = %(id)s AND closed_at IS NULL
RETURNING true AS closed;
