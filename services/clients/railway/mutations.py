"""The bot's changes at Railway: one mutation per method, sent at most once.

Each method takes a `deadline` (time.monotonic() seconds) that is checked last before the bytes are sent, so that a
process that slept in between sends nothing. All raise SourceError("Railway", …), whose `outcome_unknown` is False only
if Railway certainly did nothing. Nothing here repeats a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import SOURCE
from services.domain.errors import SourceError
from services.domain.services import Service

# {name: document}; a test validates each against Railway's full schema.
MUTATIONS: Mapping[str, str] = {
    # Makes a separate commit; changes that a person has staged in the dashboard stay staged.
    "commit_patch": "mutation commitPatch($environmentId: String!, $patch: EnvironmentConfig!, $message: String!) "
    "{ environmentPatchCommit(environmentId: $environmentId, patch: $patch, commitMessage: $message) }",
    # The answer is only `true`: the new deployment has to be searched for.
    "roll_back": "mutation rollBack($id: String!) { deploymentRollback(id: $id) }",
    "redeploy": "mutation redeploy($id: String!) { deploymentRedeploy(id: $id) { id } }",
    "restart": "mutation restart($id: String!) { deploymentRestart(id: $id) }",
    "stop": "mutation stop($id: String!) { deploymentStop(id: $id) }",
    "test_webhook": "mutation testWebhook($url: String!, $payload: String!) "
    "{ webhookTest(url: $url, payload: $payload) }",
    # `commitSha` is required here: without it Railway deploys the newest commit.
    "deploy_commit": "mutation deployCommit($environmentId: String!, $serviceId: String!, $commitSha: String!) "
    "{ serviceInstanceDeployV2(environmentId: $environmentId, serviceId: $serviceId, commitSha: $commitSha) }",
    "set_auto_deploy": "mutation setAutoDeploy($input: ServiceInstanceAutoDeployUpdateInput!) "
    "{ serviceInstanceAutoDeployUpdate(input: $input) { enabled } }",
}


class RailwayMutations:
    """Changes the client's environment, over its connections and rate limit; the client's owner closes it."""

    def __init__(self, client: RailwayClient) -> None:
        self._client = client

    async def scale(self, service: Service, regions: Mapping[str, int], *, deadline: float) -> None:
        """Set the replicas of these regions (`{region: replicas}`, each at least 1); other regions stay.

        Never removes a region: nothing proves that a service may have none left.
        """
        if not regions or any(count < 1 for count in regions.values()):
            raise ValueError("a region has at least one replica; stop the deployment to get to zero")
        service_id = await self._client.find_service_id(service)
        counts = {region: {"numReplicas": count} for region, count in regions.items()}
        variables = {
            "environmentId": self._client.environment_id,
            "patch": {"services": {service_id: {"deploy": {"multiRegionConfig": counts}}}},
            "message": f"Scale service {service.value}",
        }
        await self._change("commit_patch", variables, deadline)

    async def roll_back(self, deployment_id: str, *, deadline: float) -> None:
        """Go back to this deployment: its image and its variables. Railway does not return the new deployment's id."""
        self._expect_true(await self._change("roll_back", {"id": deployment_id}, deadline), "deploymentRollback")

    async def redeploy(self, deployment_id: str, *, deadline: float) -> str | None:
        """Deploy this deployment's code again, with the current variables.

        Returns the new deployment's id, None if Railway does not name it.
        """
        data = await self._change("redeploy", {"id": deployment_id}, deadline)
        made = data.get("deploymentRedeploy")
        return str(made["id"]) if isinstance(made, Mapping) and made.get("id") else None

    async def restart(self, deployment_id: str, *, deadline: float) -> None:
        """Restart this deployment: same id, no build."""
        self._expect_true(await self._change("restart", {"id": deployment_id}, deadline), "deploymentRestart")

    async def stop(self, deployment_id: str, *, deadline: float) -> None:
        """Stop this deployment's instances; it stays the active deployment."""
        self._expect_true(await self._change("stop", {"id": deployment_id}, deadline), "deploymentStop")

    async def test_webhook(self, url: str, payload: str, *, deadline: float) -> int:
        """Have Railway post this payload to the address, once; return the HTTP status that it got."""
        data = await self._change("test_webhook", {"url": url, "payload": payload}, deadline)
        status = data.get("webhookTest")
        if not isinstance(status, int):
            raise SourceError(SOURCE, "webhookTest named no status", outcome_unknown=True)
        return status

    async def deploy_commit(self, service: Service, sha: str, *, deadline: float) -> str | None:
        """Build and deploy one commit. Returns the new deployment's id, None if Railway does not name it."""
        variables = {
            "environmentId": self._client.environment_id,
            "serviceId": await self._client.find_service_id(service),
            "commitSha": sha,
        }
        data = await self._change("deploy_commit", variables, deadline)
        made = data.get("serviceInstanceDeployV2")
        return str(made) if made else None

    async def set_auto_deploy(self, service: Service, *, enabled: bool, deadline: float) -> None:
        """Set whether a push to the service's branch deploys it."""
        wanted = {
            "projectId": self._client.project_id,
            "environmentId": self._client.environment_id,
            "serviceId": await self._client.find_service_id(service),
            "enabled": enabled,
        }
        data = await self._change("set_auto_deploy", {"input": wanted}, deadline)
        answer = data.get("serviceInstanceAutoDeployUpdate")
        if not isinstance(answer, Mapping) or answer.get("enabled") is not enabled:
            raise SourceError(SOURCE, "its answer does not say that auto-deploy is switched", outcome_unknown=True)

    async def _change(self, mutation: str, variables: Mapping[str, object], deadline: float) -> Mapping[str, Any]:
        return await self._client.transport.change(MUTATIONS[mutation], variables, deadline=deadline)

    @staticmethod
    def _expect_true(data: Mapping[str, Any], field: str) -> None:
        """Raise SourceError unless the field is `true`; Railway refuses by an error, so other values are unknown."""
        if data.get(field) is not True:
            raise SourceError(SOURCE, f"it answered {field} with neither true nor an error", outcome_unknown=True)
