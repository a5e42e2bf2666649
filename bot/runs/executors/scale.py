"""Sets a service's replicas, stops it, and starts it again."""

from __future__ import annotations

from collections.abc import Mapping

from bot.runs.executor import (
    Act,
    Before,
    Done,
    Drifted,
    Json,
    NotApplied,
    ReadBack,
    Reads,
    Ready,
    Sight,
    Tools,
    Unknown,
    Waiting,
    WaitStep,
)
from bot.runs.executors.deploy import known_deployments, new_deployment
from playbooks.steps import AwaitStopped, ScaleService, StartService, StopService
from services.domain.deployments import Deployment, ServiceState
from services.domain.errors import SourceError, Unavailable
from services.domain.runs import StepState
from services.domain.text import counted


class Scale(Act[ScaleService]):
    """Sets the replicas from `from_` to `to`; how they are spread over the regions depends on the current ones."""

    async def before(self) -> Before:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        now = _configured(state)
        if now == self._step.to:
            return Done(f"{self._step.service.short} already has {counted(now, 'replica')}")
        if now != self._step.from_:
            return Drifted(
                f"{self._step.service.short} has {_count(now)} now, and the step starts from {self._step.from_}"
            )
        if not state.regions:
            return Drifted("Railway does not report in which regions the service runs")
        wanted = spread(state.regions, self._step.to)
        if wanted is None:
            return Drifted(f"{self._step.to} replicas cannot keep its {len(state.regions)} regions")
        return Ready({"regions": wanted, "was": dict(state.regions)})

    async def send(self, intent: Json, deadline: float) -> None:
        await self._tools.mutations.scale(self._step.service, intent["regions"], deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        now = dict(state.regions)
        if now == intent["regions"]:
            note = f"{self._step.service.short} is set to {counted(self._step.to, 'replica')}"
            return Done(note, {"regions": now})
        if now == intent["was"]:
            return NotApplied(f"{self._step.service.short} still has {_count(_configured(state))}")
        return Unknown(f"{self._step.service.short} has {_count(_configured(state))}, which was not set by this run")


def spread(regions: Mapping[str, int], to: int) -> dict[str, int] | None:
    """Spread `to` replicas over the same regions: added where there are fewest, removed where there are most, at least
    1 each.

    None if there are more regions than replicas: no region is ever removed.
    """
    if to < len(regions) or not regions:
        return None
    counts = {region: max(count, 1) for region, count in regions.items()}
    while sum(counts.values()) < to:
        counts[min(sorted(counts), key=lambda region: counts[region])] += 1
    while sum(counts.values()) > to:
        counts[max(sorted(counts), key=lambda region: counts[region])] -= 1
    return counts


async def set_replicas(tools: Tools, step: ScaleService, deadline: float) -> None:
    """Set `to` replicas, unless they are set already. Raises SourceError."""
    state = await tools.state_of(step.service)
    if isinstance(state, Unavailable):
        raise SourceError(state.source, state.why, retryable=True)
    wanted = spread(state.regions, step.to)
    if wanted is not None and wanted != dict(state.regions):
        await tools.mutations.scale(step.service, wanted, deadline=deadline)


def _configured(state: ServiceState) -> int | None:
    """Wanted replicas; 0 for a stopped service, whatever is configured. None if unknown."""
    return state.replicas_wanted


def _count(number: int | None) -> str:
    return "an unknown number of replicas" if number is None else counted(number, "replica")


# Values of Railway's DeploymentInstanceStatus without a process.
_ENDED = ("CRASHED", "EXITED", "REMOVED", "SKIPPED", "STOPPED")
_LEAVING = (*_ENDED, "REMOVING")


class Stop(Act[StopService]):
    """Stops every active deployment, also one made since the approval, so that the service has no process.

    `also_unknown`: for emergencies. While Railway does not report what is active, the plan's deployment is stopped.
    """

    def __init__(self, reads: Reads, step: StopService, *, also_unknown: bool = False) -> None:
        self._reads = reads
        self._step = step
        self._also_unknown = also_unknown

    async def before(self) -> Before:
        state = await self._reads.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Ready({"deployments": [self._step.deployment_id]}) if self._also_unknown else Unknown(str(state))
        if not _to_stop(state):
            return Done(f"nothing of {self._step.service.short} runs")
        return Ready({"deployments": [deployment.id for deployment in _to_stop(state)]})

    async def send(self, intent: Json, deadline: float) -> None:
        """Stop the deployments that still run: an earlier attempt may have stopped some."""
        left = await self._still_running(intent)
        for deployment_id in intent["deployments"] if isinstance(left, Unknown) else [one.id for one in left]:
            await self._reads.mutations.stop(deployment_id, deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        left = await self._still_running(intent)
        if isinstance(left, Unknown):
            return left
        if left:
            running = sum(deployment.running_instances for deployment in left)
            return NotApplied(f"{counted(running, 'replica')} of {self._step.service.short} run as before")
        return Done(f"{self._step.service.short} is stopping", {"stopped": intent["deployments"]})

    async def done_in_part(self, intent: Json) -> str:
        left = await self._still_running(intent)
        if isinstance(left, Unknown):
            return ""
        running = {deployment.id for deployment in left}
        stopped = [one for one in intent["deployments"] if one not in running]
        return f"{' and '.join(stopped)} of {self._step.service.short} stopped" if stopped and running else ""

    async def _still_running(self, intent: Json) -> list[Deployment] | Unknown:
        state = await self._reads.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        return [deployment for deployment in _to_stop(state) if deployment.id in intent["deployments"]]


class Stopped(WaitStep[AwaitStopped]):
    """Waits until the last process has ended. If Railway does not answer, that is not proved."""

    when_unknown = StepState.NOT_PROVED

    async def observe(self) -> Sight:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        left = count_processes(state)
        if left:
            return Waiting(
                f"{counted(left, 'process') if left == 1 else f'{left} processes'} of {state.service.short} left"
            )
        return Done(f"the last process of {state.service.short} has ended")


class Start(Act[StartService]):
    """Deploys the stopped deployment again. The replica count is set first, so that it starts with it."""

    async def before(self) -> Before:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unknown(str(state))
        if count_processes(state):
            return Drifted(f"{self._step.service.short} runs already")
        readback = await known_deployments(self._tools, self._step.service)
        return readback if isinstance(readback, Unknown) else Ready({"seen": readback, "regions": dict(state.regions)})

    async def send(self, _intent: Json, deadline: float) -> None:
        await set_replicas(self._tools, ScaleService(self._step.service, 0, self._step.to), deadline)
        await self._tools.mutations.redeploy(self._step.deployment_id, deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        return await new_deployment(self._tools, self._step.service, intent, sha=None)

    async def done_in_part(self, intent: Json) -> str:
        state = await self._tools.state_of(self._step.service)
        before = intent.get("regions")  # intents of former versions have none
        if isinstance(state, Unavailable) or before is None or dict(state.regions) == before:
            return ""
        return f"{self._step.service.short} is set to {counted(sum(state.regions.values()), 'replica')}"


def count_processes(state: ServiceState) -> int:
    """Number of instances that may still have a process."""
    instances = [instance for deployment in _deployments(state) for instance in deployment.instances]
    return sum(instance.status not in _ENDED for instance in instances)


def _to_stop(state: ServiceState) -> list[Deployment]:
    """Active deployments with an instance that is not ending."""
    return [
        deployment
        for deployment in state.active
        if not deployment.stopped and any(one.status not in _LEAVING for one in deployment.instances)
    ]


def _deployments(state: ServiceState) -> list[Deployment]:
    known = {deployment.id: deployment for deployment in (*state.active, *filter(None, [state.latest]))}
    return list(known.values())
