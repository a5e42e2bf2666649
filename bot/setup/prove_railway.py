"""The tests of `prove` in Railway: each step states an assumption, and Railway's behavior if it differs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import Protocol, TypeVar

from playbooks.model import Finding, Status
from services.clients.railway.client import RailwayClient
from services.clients.railway.mutations import RailwayMutations
from services.clients.railway.quota import Purpose, at_least
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import OperatorError, SourceError
from services.domain.services import Service, short_sha
from services.domain.text import counted

LOOKED_BACK = 10  # deployments
T = TypeVar("T")
Effect = Callable[[ServiceState], bool]


class Change(Protocol):
    """A mutation with all its arguments except the deadline (time.monotonic())."""

    async def __call__(self, *, deadline: float) -> str | None: ...


@dataclass(frozen=True)
class Waits:
    """Limits in seconds. `listed`: until a change is visible; `built`: until a deployment serves; `send`: until a call
    is sent."""

    every: float = 3.0
    listed: float = 90.0
    built: float = 600.0
    send: float = 20.0


@dataclass(frozen=True)
class Before:
    """State of the service before the tests, restored at the end. `region`: the region that is scaled."""

    deployment: Deployment
    sha: str
    region: str
    replicas: int
    auto_deploy: bool


class CannotGoOnError(Exception):
    """A step had no visible effect, so the next steps would prove nothing. The findings have the reason."""


class Journey:
    """The tests on one service. `show`: prints a line for the person who waits."""

    def __init__(self, client: RailwayClient, service: Service, waits: Waits, show: Callable[[str], None]) -> None:
        self._client = client
        self._mutations = RailwayMutations(client)
        self._service = service
        self._waits = waits
        self._show = show
        self._found: list[Finding] = []
        self._awaited: Effect | None = None  # effect of the last change, until it is visible or timed out
        self._not_restored: list[str] = []  # reasons

    async def plan(self) -> Sequence[str]:
        """Describe what `run` does; changes nothing. Raises OperatorError if the service can't be used for it."""
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
        """Run all steps and return the findings. Changes are restored, also after a failed step or an interrupt."""
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
            auto_deploy = await self._read_auto_deploy()
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
        change = partial(self._mutations.deploy_commit, self._service, before.sha)
        named = await self._send("deploy", change, partial(_is_newer, than=before.deployment.id))
        self._compare("deploy.id", named is not None, "the deploy names the new deployment", "it names none")
        new = await self._find_new("deploy", before, before.deployment.id)
        if named is not None:
            self._compare("deploy.same_id", new.id == named, "the deployment has that id", "it has another id")
        await self._await_serving("deploy", new.id)

    async def _scale(self, before: Before) -> None:
        newest = (await self._list())[0].id
        for name, count in (("scale.up", before.replicas + 1), ("scale.down", before.replicas)):
            change = partial(self._mutations.scale, self._service, {before.region: count})
            is_seen = await self._change(name, change, partial(_runs, region=before.region, count=count))
            self._require(name, is_seen, f"{count} replicas are configured and run", "they are not")
        is_same = (await self._list())[0].id == newest
        self._compare("scale.same", is_same, "scaling makes no deployment", "it made a new deployment")

    async def _stop(self) -> None:
        stopped = await self._serving()
        change = partial(self._mutations.stop, stopped.id)
        is_seen = await self._change("stop", change, partial(_is_stopped, deployment_id=stopped.id))
        self._require("stop", is_seen, "it is marked as stopped, and no instance runs", "it is not")

    async def _roll_back(self, before: Before) -> None:
        listed = await self._list()
        target = next((one for one in listed if one.id == before.deployment.id), None)
        can = target is not None and target.can_rollback
        self._require(
            "rollback.offered", can, "the earlier deployment can be rolled back to", "Railway does not offer it"
        )
        newest = listed[0].id
        change = partial(self._mutations.roll_back, before.deployment.id)
        await self._send("rollback", change, partial(_is_newer, than=newest))
        new = await self._find_new("rollback", before, newest)
        await self._await_serving("rollback", new.id)

    async def _restore(self, before: Before) -> None:
        """Restore what differs. Each change is sent once, even if others failed. Differences that remain are a
        finding."""
        if self._awaited is not None:  # a late effect would undo what is restored
            self._show("Whether the last change takes effect is unknown: waiting for it …")
            await self._poll(self._read, self._awaited, self._waits.listed)
        await self._restore_state(before)
        await self._restore_auto_deploy(before)
        self._report(
            before,
            await self._poll(self._read, partial(_is_restored, before=before), self._waits.built),
            await self._poll(self._read_auto_deploy, partial(eq, before.auto_deploy), self._waits.listed),
        )

    async def _restore_state(self, before: Before) -> None:
        state = await self._poll(self._read, _is_any, self._waits.listed)
        if not isinstance(state, ServiceState):
            return
        if state.regions.get(before.region) != before.replicas:
            regions = {before.region: before.replicas}
            await self._undo("the replicas", partial(self._mutations.scale, self._service, regions))
        if not _serves(state, before.sha):
            await self._undo("the commit", partial(self._mutations.redeploy, before.deployment.id))

    async def _restore_auto_deploy(self, before: Before) -> None:
        enabled = before.auto_deploy
        if await self._poll(self._read_auto_deploy, _is_any, self._waits.listed) is (not enabled):
            change = partial(self._mutations.set_auto_deploy, self._service, enabled=enabled)
            await self._undo("auto-deploy", change)

    async def _undo(self, name: str, change: Change) -> None:
        """Send one restoring change once. A failure is noted, so that the others are still tried."""
        self._show(f"restoring {name} …")
        try:
            await change(deadline=self._send_deadline())
        except SourceError as error:
            self._show(f"Restoring {name} failed: {error.why}")
            self._not_restored.append(f"restoring {name} failed: {error.why}")

    def _report(
        self, before: Before, state: ServiceState | SourceError | None, auto: bool | SourceError | None
    ) -> None:
        """Add the finding on the restored state. `state`, `auto`: SourceError if unknown, None if not as before."""
        wanted = f"{short_sha(before.sha)} with {counted(before.replicas, 'replica')} in {before.region}"
        wanted += f" and auto-deploy {'on' if before.auto_deploy else 'off'}"
        title = f"{self._service.value} is as before: {wanted}"
        unread = [one.why for one in (state, auto) if isinstance(one, SourceError)]
        why = "; ".join([*self._not_restored, *unread])
        fix = f"in Railway, restore {wanted}" + (f" ({why})" if why else "")
        if unread and None not in (state, auto):
            self._found.append(Finding("railway.restored", Status.UNKNOWN, f"unknown whether {title}", fix))
            return
        self._compare("restored", None not in (state, auto), title, fix)

    async def _find_new(self, name: str, before: Before, newest: str) -> Deployment:
        """Return the first deployment after `newest`, waiting for it. Raises CannotGoOnError if none is listed."""
        deadline = time.monotonic() + self._waits.listed
        while time.monotonic() < deadline:
            listed = await self._list()
            later = listed[: next((n for n, one in enumerate(listed) if one.id == newest), 0)]
            if later:
                is_ours = later[0].commit_sha == before.sha
                self._compare(f"{name}.commit", is_ours, "the new deployment names its commit", "it does not")
                self._awaited = None
                return later[0]
            await asyncio.sleep(self._waits.every)
        self._awaited = None
        self._require(f"{name}.listed", seen=False, assumed="the new deployment is listed", instead="it is not")
        raise AssertionError("the step above ends the journey")

    async def _await_serving(self, name: str, deployment_id: str) -> None:
        def serves(state: ServiceState) -> bool:
            return state.serving is not None and state.serving.id == deployment_id and _has_settled(state)

        state = await self._until(name, serves, self._waits.built)
        self._require(
            f"{name}.serves", state is not None, "it takes the earlier one's place", "it does not serve alone"
        )

    async def _serving(self) -> Deployment:
        state = await self._guarded("state", self._read())
        if state.serving is None:
            raise CannotGoOnError
        return state.serving

    async def _until(self, name: str, wanted: Callable[[ServiceState], bool], most_s: float) -> ServiceState | None:
        """Poll until a state is wanted, and return it; None after `most_s`. Raises CannotGoOnError if a read fails."""
        began = time.monotonic()
        while time.monotonic() - began < most_s:
            state = await self._guarded(name, self._read())
            if wanted(state):
                self._show(f"{name}: after {time.monotonic() - began:.0f} s")
                return state
            await asyncio.sleep(self._waits.every)
        return None

    async def _poll(
        self, read: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], most_s: float
    ) -> T | SourceError | None:
        """Poll until an answer is wanted, and return it; at the end of the time None, or the error if the last read
        failed. A failed read does not end the polling."""
        ends = time.monotonic() + most_s
        while True:
            failed = None
            try:
                found = await read()
                if wanted(found):
                    return found
            except SourceError as error:
                failed = error
            if time.monotonic() >= ends:
                return failed
            await asyncio.sleep(self._waits.every)

    async def _change(self, name: str, change: Change, effect: Effect) -> bool:
        """Send a change. True if its effect was visible in time."""
        await self._send(name, change, effect)
        state = await self._until(name, effect, self._waits.listed)
        self._awaited = None
        return state is not None

    async def _send(self, name: str, change: Change, effect: Effect) -> str | None:
        """Send a change at most once, even if its outcome is unknown. Raises CannotGoOnError if it fails."""
        self._show(f"{name} …")
        self._awaited = effect
        try:
            return await change(deadline=self._send_deadline())
        except SourceError as error:
            if not error.outcome_unknown:
                self._awaited = None
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
        with at_least(Purpose.CHANGE):  # a fresh answer, not a shared one
            return await self._client.read_service(self._service)

    async def _read_auto_deploy(self) -> bool:
        with at_least(Purpose.CHANGE):
            return await self._client.read_auto_deploy(self._service)

    async def _list(self) -> list[Deployment]:
        try:
            with at_least(Purpose.CHANGE):
                return await self._client.list_deployments(self._service, limit=LOOKED_BACK)
        except SourceError as error:
            self._found.append(Finding("railway.deployments", Status.UNKNOWN, "Railway can't be read", error.why))
            raise CannotGoOnError from error

    def _compare(self, name: str, is_so: bool, assumed: str, instead: str) -> None:
        """Add a finding. A difference does not end the tests."""
        status = Status.OK if is_so else Status.FAIL
        title = assumed if is_so else f"not as assumed: {assumed}"
        self._found.append(Finding(f"railway.{name}", status, title, "" if is_so else instead))

    def _require(self, name: str, seen: bool, assumed: str, instead: str) -> None:
        """Add a finding. Raises CannotGoOnError for a difference, because the next steps would prove nothing."""
        self._compare(name, seen, assumed, instead)
        if not seen:
            raise CannotGoOnError

    def _send_deadline(self) -> float:
        return time.monotonic() + self._waits.send


def _runs(state: ServiceState, region: str, count: int) -> bool:
    serving, others = state.serving, sum(state.regions.values()) - state.regions.get(region, 0)
    return state.regions.get(region) == count and serving is not None and serving.running_instances == count + others


def _is_any(_: object) -> bool:
    return True


def _is_newer(state: ServiceState, than: str) -> bool:
    return state.latest is not None and state.latest.id != than


def _is_stopped(state: ServiceState, deployment_id: str) -> bool:
    found = [one for one in (*state.active, state.latest) if one is not None and one.id == deployment_id]
    return bool(found) and all(one.stopped and not one.running_instances for one in found)


def _has_settled(state: ServiceState) -> bool:
    """True if exactly one deployment serves."""
    return sum(one.status is DeploymentStatus.SUCCESS and not one.stopped for one in state.active) == 1


def _serves(state: ServiceState, sha: str) -> bool:
    """True if the commit serves with a running instance; a stopped deployment may look active."""
    return state.serving is not None and state.serving.commit_sha == sha and state.serving.running_instances > 0


def _is_restored(state: ServiceState, before: Before) -> bool:
    return state.regions.get(before.region) == before.replicas and _serves(state, before.sha)


def _unusable(why: str) -> OperatorError:
    return OperatorError(
        "Nothing was changed",
        why=why,
        what_next="Deploy one commit to the service, then write `dragonfly prove` again.",
    )
