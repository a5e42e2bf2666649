"""Changes the active deployment: roll back, build a commit, restart, redeploy; and waits for the new deployment.

Railway seldom reports the new deployment's id, so the intent lists the ids known before, and any other is new.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from bot.runs.executor import (
    Act,
    Before,
    Done,
    Drifted,
    Failed,
    Json,
    NotApplied,
    ReadBack,
    Ready,
    Sight,
    Tools,
    Unknown,
    Waiting,
    WaitStep,
    text,
)
from playbooks.steps import AwaitDeployment, DeployCommit, RedeployDeployment, RestartDeployment, RollBackDeployment
from services.clients.railway.client import RailwayClient
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.services import Service, same_sha, short_sha

_DEPLOYMENTS_READ = 25  # deployments: more than one run can make, and one page of Railway's
_NEVER_ARRIVES = (
    DeploymentStatus.CRASHED,
    DeploymentStatus.FAILED,
    DeploymentStatus.REMOVED,
    DeploymentStatus.REMOVING,
    DeploymentStatus.SKIPPED,
)


async def known_deployments(tools: Tools, service: Service) -> list[str] | Unknown:
    """Return the deployment ids that Railway lists now."""
    deployments = await tools.world.ask_railway(RailwayClient.list_deployments, service, limit=_DEPLOYMENTS_READ)
    if isinstance(deployments, Unavailable):
        return Unknown(str(deployments))
    return [deployment.id for deployment in deployments]


async def new_deployment(tools: Tools, service: Service, intent: Json, *, sha: str | None) -> ReadBack:
    """Find the newest deployment that was not there before. `sha`: the commit it must have; None: any.

    A deployment of another commit was made outside this run; the outcome of ours is then unknown.
    """
    deployments = await tools.world.ask_railway(RailwayClient.list_deployments, service, limit=_DEPLOYMENTS_READ)
    if isinstance(deployments, Unavailable):
        return Unknown(str(deployments))
    new = [deployment for deployment in deployments if deployment.id not in intent["seen"]]
    ours = next((one for one in new if sha is None or _is_of(one, sha)), None)
    if ours is not None:
        note = f"deployment {ours.short_id} of {short_sha(ours.commit_sha)}"
        return Done(note, {"deployment_id": ours.id})
    if new:
        return Unknown(f"{service.short} has a deployment of {short_sha(new[0].commit_sha)} that this run did not make")
    return NotApplied(f"{service.short} has no new deployment")


DeployingT = TypeVar("DeployingT", RollBackDeployment, DeployCommit, RestartDeployment, RedeployDeployment)


class _Deploying(Act[DeployingT]):
    """Base of the acts that rely on which deployment is active."""

    async def before(self) -> Before:
        service = self._step.service
        state = await self._tools.state_of(service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        current = state.current
        if (current.id if current else None) != self._serving():
            return Drifted(f"{service.short} now runs {_words(current)}, which this run did not deploy")
        readback = await known_deployments(self._tools, service)
        if isinstance(readback, Unknown):
            return readback
        return Ready({"seen": readback, **_marks(current)})

    def _serving(self) -> str | None:
        """The deployment that was active when the step was planned; None if there was none."""
        step = self._step
        return step.deployment_id if isinstance(step, RestartDeployment | RedeployDeployment) else step.from_


class RollBack(_Deploying[RollBackDeployment]):
    """Rolls back to an earlier deployment; Railway answers `true` and makes a new deployment of the same commit."""

    async def send(self, _intent: Json, deadline: float) -> None:
        await self._tools.mutations.roll_back(self._step.to, deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        return await new_deployment(self._tools, self._step.service, intent, sha=self._step.sha or None)


class BuildCommit(_Deploying[DeployCommit]):
    """Makes a new deployment of an explicit commit."""

    async def send(self, _intent: Json, deadline: float) -> None:
        await self._tools.mutations.deploy_commit(self._step.service, self._step.sha, deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        return await new_deployment(self._tools, self._step.service, intent, sha=self._step.sha)


class DeployAgain(_Deploying[RedeployDeployment]):
    """Makes a new deployment of the active one's commit, with the current variables."""

    async def send(self, _intent: Json, deadline: float) -> None:
        await self._tools.mutations.redeploy(self._step.deployment_id, deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        return await new_deployment(self._tools, self._step.service, intent, sha=text(intent, "sha"))


class RestartServing(_Deploying[RestartDeployment]):
    """Restarts the active deployment; its status's time and its instances show that it restarted."""

    async def send(self, _intent: Json, deadline: float) -> None:
        await self._tools.mutations.restart(self._step.deployment_id, deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        deployments = await self._tools.world.ask_railway(
            RailwayClient.list_deployments, self._step.service, limit=_DEPLOYMENTS_READ
        )
        if isinstance(deployments, Unavailable):
            return Unknown(str(deployments))
        found = next((one for one in deployments if one.id == self._step.deployment_id), None)
        if found is None:
            return Unknown(f"Railway does not list the deployment of {self._step.service.short} any more")
        if _marks(found) == {name: intent.get(name) for name in _marks(found)}:
            return NotApplied(f"{self._step.service.short} runs as before")
        return Done(f"{self._step.service.short} restarts", {"deployment_id": found.id})


class DeploymentArrives(WaitStep[AwaitDeployment]):
    """Waits until the deployment that the run's last act on the service made or restarted is SUCCESS."""

    async def observe(self) -> Sight:
        wanted = self._tools.last_deployment(self._step.service)
        if wanted is None:
            return Failed("this run has made no deployment to wait for")
        deployments = await self._tools.world.ask_railway(
            RailwayClient.list_deployments, self._step.service, limit=_DEPLOYMENTS_READ
        )
        if isinstance(deployments, Unavailable):
            return Unknown(str(deployments))
        found = next((one for one in deployments if one.id == wanted), None)
        if found is None:
            return Waiting("Railway does not list the deployment yet")
        return _arrival(found)


def _arrival(found: Deployment) -> Sight:
    words = f"{short_sha(found.commit_sha)} is {found.status.value}"
    if found.status is DeploymentStatus.SUCCESS and not found.stopped:
        return Done(words, {"deployment_id": found.id})
    if found.status in _NEVER_ARRIVES:
        return Failed(f"the deployment of {words}", {"deployment_id": found.id})
    return Waiting(words)


def _is_of(deployment: Deployment, sha: str) -> bool:
    """True if the deployment may be of this commit: also if Railway does not report its commit."""
    return deployment.commit_sha is None or same_sha(deployment.commit_sha, sha)


def _marks(deployment: Deployment | None) -> dict[str, object]:
    """Values that change when a deployment restarts, and its commit."""
    if deployment is None:
        return {"sha": None, "status_updated_at": None, "instances": []}
    return {
        "sha": deployment.commit_sha,
        "status_updated_at": _moment(deployment.status_updated_at),
        "instances": sorted(instance.id for instance in deployment.instances),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _words(deployment: Deployment | None) -> str:
    return f"{short_sha(deployment.commit_sha)} ({deployment.id})" if deployment else "no deployment"
