"""The journey of `prove` in Railway: each step says what we assume, and what Railway did instead where it differs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from playbooks.model import Finding, Status
from services.clients.railway.client import RailwayClient
from services.clients.railway.mutations import RailwayMutations
from services.clients.railway.quota import Purpose, at_least
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import OperatorError, SourceError
from services.domain.services import Service, short_sha
from services.domain.text import counted

LOOKED_BACK = 10  # deployments


class Change(Protocol):
    """One mutation, with everything but its deadline (time.monotonic())."""

    async def __call__(self, *, deadline: float) -> str | None: ...


@dataclass(frozen=True)
class Waits:
    """Seconds. `listed`: until a change is seen; `built`: until a deployment serves; `send`: until it has left."""

    every: float = 3.0
    listed: float = 90.0
    built: float = 600.0
    send: float = 20.0


@dataclass(frozen=True)
class Before:
    """How the service was, which is restored in the end. `region`: the one that is scaled."""

    deployment: Deployment
    sha: str
    region: str
    replicas: int
    auto_deploy: bool


class CannotGoOnError(Exception):
    """A step was not seen to work, so the next one would prove nothing. What was found says why."""


class Journey:
    """One service. `show`: a line for the person who waits."""

    def __init__(self, client: RailwayClient, service: Service, waits: Waits, show: Callable[[str], None]) -> None:
        self._client = client
        self._mutations = RailwayMutations(client)
        self._service = service
        self._waits = waits
        self._show = show
        self._found: list[Finding] = []

    async def plan(self) -> Sequence[str]:
        """What `run` does, in words; changes nothing. Raises OperatorError where the service can't be used for it."""
        before = await self._read_before()
        name, sha, replicas = self._service.value, short_sha(before.sha), counted(before.replicas, "replica")
        return (
            f"deploy {sha} to {name} again",
            f"scale it in {before.region} from {before.replicas} to {before.replicas + 1} and back",
            "stop it",
            f"roll back to deployment {before.deployment.short_id}",
            f"restore {sha}, {replicas} and auto-deploy {'on' if before.auto_deploy else 'off'}",
        )

    async def run(self) -> list[Finding]:
        """Every finding, in order. What was changed is restored, also after a step that failed or an interrupt."""
        before = await self._read_before()
        try:
            await self._deploy(before)
            await self._scale(before)
            await self._stop()
            await self._roll_back(before)
        except CannotGoOnError:
            self._show("A step was not seen to work: the rest is left out.")
        finally:
            await self._restore(before)
        return self._found

    async def _read_before(self) -> Before:
        try:
            state = await self._read()
            auto_deploy = await self._client.read_auto_deploy(self._service)
        except SourceError as error:
            raise _unusable(error.why) from error
        serving, regions = state.serving, dict(state.regions)
        if serving is None or serving.commit_sha is None:
            raise _unusable(f"{self._service.value} does not serve a commit")
        if not regions:
            raise _unusable(f"Railway does not say in which region {self._service.value} runs")
        region = min(regions)
        return Before(serving, serving.commit_sha, region, regions[region], auto_deploy)

    async def _deploy(self, before: Before) -> None:
        named = await self._send("deploy", partial(self._mutations.deploy_commit, self._service, before.sha))
        self._compare("deploy.id", named is not None, "the deploy names the new deployment", "it names none")
        new = await self._find_new("deploy", before, before.deployment.id)
        if named is not None:
            self._compare("deploy.same_id", new.id == named, "the deployment has that id", "it has another id")
        await self._await_serving("deploy", new.id)

    async def _scale(self, before: Before) -> None:
        newest = (await self._list())[0].id
        for name, count in (("scale.up", before.replicas + 1), ("scale.down", before.replicas)):
            await self._send(name, partial(self._mutations.scale, self._service, {before.region: count}))
            state = await self._until(name, partial(_runs, region=before.region, count=count), self._waits.listed)
            self._see(name, state is not None, f"{count} replicas are configured and run", "they are not")
        is_same = (await self._list())[0].id == newest
        self._compare("scale.same", is_same, "scaling makes no deployment", "it made a new deployment")

    async def _stop(self) -> None:
        stopped = await self._serving()
        await self._send("stop", partial(self._mutations.stop, stopped.id))
        state = await self._until("stop", partial(_is_stopped, deployment_id=stopped.id), self._waits.listed)
        self._see("stop", state is not None, "it is marked as stopped, and no instance runs", "it is not")

    async def _roll_back(self, before: Before) -> None:
        listed = await self._list()
        target = next((one for one in listed if one.id == before.deployment.id), None)
        can = target is not None and target.can_rollback
        self._see("rollback.offered", can, "the earlier deployment can be rolled back to", "Railway does not offer it")
        newest = listed[0].id
        await self._send("rollback", partial(self._mutations.roll_back, before.deployment.id))
        new = await self._find_new("rollback", before, newest)
        await self._await_serving("rollback", new.id)

    async def _restore(self, before: Before) -> None:
        """Only what differs. Each change is sent once; what is not as before in the end is said."""
        try:
            state = await self._read()
            if state.regions.get(before.region) != before.replicas:
                regions = {before.region: before.replicas}
                await self._mutations.scale(self._service, regions, deadline=self._by())
            if not _serves(state, before.sha):
                await self._mutations.redeploy(before.deployment.id, deadline=self._by())
            if await self._client.read_auto_deploy(self._service) != before.auto_deploy:
                enabled = before.auto_deploy
                await self._mutations.set_auto_deploy(self._service, enabled=enabled, deadline=self._by())
            is_back = await self._until("restore", partial(_is_as, before=before), self._waits.built) is not None
        except SourceError as error:
            self._show(f"Restoring failed: {error.why}")
            is_back = False
        wanted = f"{short_sha(before.sha)} with {counted(before.replicas, 'replica')} in {before.region}"
        self._compare(
            "restored", is_back, f"{self._service.value} is as before: {wanted}", f"in Railway, restore {wanted}"
        )

    async def _find_new(self, name: str, before: Before, newest: str) -> Deployment:
        """The deployment of the commit that came after `newest`."""
        deadline = time.monotonic() + self._waits.listed
        while time.monotonic() < deadline:
            listed = await self._list()
            later = listed[: next((n for n, one in enumerate(listed) if one.id == newest), 0)]
            if later:
                is_ours = later[0].commit_sha == before.sha
                self._compare(f"{name}.commit", is_ours, "the new deployment names its commit", "it does not")
                return later[0]
            await asyncio.sleep(self._waits.every)
        self._see(f"{name}.listed", seen=False, assumed="the new deployment is listed", instead="it is not")
        raise AssertionError("the step above ends the journey")

    async def _await_serving(self, name: str, deployment_id: str) -> None:
        def serves(state: ServiceState) -> bool:
            return state.serving is not None and state.serving.id == deployment_id and _has_settled(state)

        state = await self._until(name, serves, self._waits.built)
        self._see(f"{name}.serves", state is not None, "it takes the earlier one's place", "it does not serve alone")

    async def _serving(self) -> Deployment:
        state = await self._guarded("state", self._read())
        if state.serving is None:
            raise CannotGoOnError
        return state.serving

    async def _until(self, name: str, wanted: Callable[[ServiceState], bool], most_s: float) -> ServiceState | None:
        """The first state that is wanted; None when there was none in time."""
        began = time.monotonic()
        while time.monotonic() - began < most_s:
            state = await self._guarded(name, self._read())
            if wanted(state):
                self._show(f"{name}: after {time.monotonic() - began:.0f} s")
                return state
            await asyncio.sleep(self._waits.every)
        return None

    async def _send(self, name: str, change: Change) -> str | None:
        """At most once; what the answer does not tell is looked for afterwards, and never sent again."""
        self._show(f"{name} …")
        try:
            return await change(deadline=self._by())
        except SourceError as error:
            status = Status.UNKNOWN if error.outcome_unknown else Status.FAIL
            self._found.append(Finding(f"railway.{name}", status, f"Railway did not take it: {name}", error.why))
            raise CannotGoOnError from error

    async def _guarded(self, name: str, read: Awaitable[ServiceState]) -> ServiceState:
        try:
            return await read
        except SourceError as error:
            self._found.append(Finding(f"railway.{name}", Status.UNKNOWN, "Railway can't be read", error.why))
            raise CannotGoOnError from error

    async def _read(self) -> ServiceState:
        with at_least(Purpose.CHANGE):  # of now, not an answer that serves others
            return await self._client.read_service(self._service)

    async def _list(self) -> list[Deployment]:
        try:
            with at_least(Purpose.CHANGE):
                return await self._client.list_deployments(self._service, limit=LOOKED_BACK)
        except SourceError as error:
            self._found.append(Finding("railway.deployments", Status.UNKNOWN, "Railway can't be read", error.why))
            raise CannotGoOnError from error

    def _compare(self, name: str, is_so: bool, assumed: str, instead: str) -> None:
        """A difference that does not end the journey."""
        status = Status.OK if is_so else Status.FAIL
        title = assumed if is_so else f"not as assumed: {assumed}"
        self._found.append(Finding(f"railway.{name}", status, title, "" if is_so else instead))

    def _see(self, name: str, seen: bool, assumed: str, instead: str) -> None:
        """Without this the next step would prove nothing. Raises CannotGoOnError."""
        self._compare(name, seen, assumed, instead)
        if not seen:
            raise CannotGoOnError

    def _by(self) -> float:
        return time.monotonic() + self._waits.send


def _runs(state: ServiceState, region: str, count: int) -> bool:
    serving, others = state.serving, sum(state.regions.values()) - state.regions.get(region, 0)
    return state.regions.get(region) == count and serving is not None and serving.running_instances == count + others


def _is_stopped(state: ServiceState, deployment_id: str) -> bool:
    found = [one for one in (*state.active, state.latest) if one is not None and one.id == deployment_id]
    return bool(found) and all(one.stopped and not one.running_instances for one in found)


def _has_settled(state: ServiceState) -> bool:
    """No second deployment serves beside it."""
    return sum(one.status is DeploymentStatus.SUCCESS and not one.stopped for one in state.active) == 1


def _serves(state: ServiceState, sha: str) -> bool:
    """With a process that runs: what is stopped may look as if it served."""
    return state.serving is not None and state.serving.commit_sha == sha and state.serving.running_instances > 0


def _is_as(state: ServiceState, before: Before) -> bool:
    return state.regions.get(before.region) == before.replicas and _serves(state, before.sha)


def _unusable(why: str) -> OperatorError:
    return OperatorError(
        "Nothing was changed",
        why=why,
        what_next="Deploy one commit to the service, then write `dragonfly prove` again.",
    )
