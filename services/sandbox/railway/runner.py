"""One service of the local Railway: deployments, replicas, and the rollout of a new deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp

from services.domain.deployments import DeploymentStatus
from services.sandbox.railway.metrics import Meter
from services.sandbox.railway.model import REGION, Commit, InstanceStatus, Pace, Place, ServiceSpec
from services.sandbox.railway.records import DeploymentRecord
from services.sandbox.railway.replica import Launch, Replica

_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)


@dataclass(frozen=True)
class Rollout:
    """The rollout of one deployment. `on_change` is called after each step."""

    record: DeploymentRecord
    pace: Pace
    healthcheck_path: str | None
    http: aiohttp.ClientSession
    on_change: Callable[[], None]

    async def build(self, *, needs_build: bool) -> None:
        """Build, up to DEPLOYING. A rollback or redeploy has its image already."""
        await asyncio.sleep(self.pace.initialize_s)
        if needs_build:
            self._become(DeploymentStatus.BUILDING)
            self.record.build_logs.write(f"Cloning the repository at {self.record.commit.sha}")
            await asyncio.sleep(self.pace.build_s)
            self.record.build_logs.write("Build finished")
        self._become(DeploymentStatus.DEPLOYING)

    async def start(self) -> bool:
        """Start the replicas. True if they may take traffic; otherwise they are stopped, with status FAILED."""
        for replica in self.record.replicas:
            replica.start()
        await asyncio.gather(*(replica.wait_until_tried() for replica in self.record.replicas))
        if self.healthcheck_path is None or await self._becomes_healthy(self.healthcheck_path):
            self._become(DeploymentStatus.SUCCESS)
            return True
        self.record.build_logs.write(
            f"Healthcheck failed: {self.healthcheck_path} did not answer 200", severity="error"
        )
        await stop_replicas(self.record.replicas, self.pace.draining_s)
        self.record.replicas = []
        self._become(DeploymentStatus.FAILED)
        return False

    async def _becomes_healthy(self, path: str) -> bool:
        try:
            async with asyncio.timeout(self.pace.healthcheck_timeout_s):
                while not await self._is_healthy(path):
                    if all(replica.status is InstanceStatus.CRASHED for replica in self.record.replicas):
                        return False
                    await asyncio.sleep(self.pace.healthcheck_every_s)
        except TimeoutError:
            return False
        return True

    async def _is_healthy(self, path: str) -> bool:
        answers = await asyncio.gather(*(self._probe(replica, path) for replica in self.record.replicas))
        return all(answers)

    async def _probe(self, replica: Replica, path: str) -> bool:
        if not replica.is_running:
            return False
        try:
            url = f"http://127.0.0.1:{replica.port}{path}"
            async with self.http.get(url, timeout=_PROBE_TIMEOUT) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _become(self, status: DeploymentStatus) -> None:
        self.record.become(status)
        self.on_change()


async def stop_replicas(
    replicas: list[Replica], drain_s: float, become: InstanceStatus = InstanceStatus.REMOVED
) -> None:
    """Stop all replicas at the same time."""
    await asyncio.gather(*(replica.stop(drain_s, become) for replica in replicas))


class ServiceRunner:
    """One service. Its methods return at once and continue in the background, as with Railway.

    `on_change` is called after every step. `active` is the deployment that has the service's processes; `deployments`
    are all, oldest first.
    """

    def __init__(
        self, spec: ServiceSpec, *, place: Place, pace: Pace, http: aiohttp.ClientSession, on_change: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.id = str(uuid4())
        self.regions: dict[str, int] = {REGION: spec.replicas}
        self.auto_deploy = True
        self.own_variables: dict[str, str] = dict(spec.variables)
        self.deployments: list[DeploymentRecord] = []
        self.active: DeploymentRecord | None = None
        self.meter = Meter()
        self._place = place
        self._pace = pace
        self._http = http
        self._on_change = on_change
        self._rollout: asyncio.Task[None] | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._is_closing = False

    @property
    def latest(self) -> DeploymentRecord | None:
        """The newest deployment that Railway lists by now."""
        return max(self.listed(), key=lambda record: record.created_at, default=None)

    def listed(self) -> list[DeploymentRecord]:
        """The deployments that Railway lists by now: a new one appears late."""
        now = datetime.now(UTC)
        return [record for record in self.deployments if record.visible_at <= now]

    def running_ports(self) -> list[int]:
        """The ports to which the edge may forward."""
        replicas = self.active.replicas if self.active else []
        return [replica.port for replica in replicas if replica.is_running and replica.port]

    def deploy(
        self, commit: Commit, *, creator: str, needs_build: bool = True, variables: Mapping[str, str] | None = None
    ) -> DeploymentRecord:
        """Start a new deployment; one that is still in progress is given up. `variables` None: the current ones."""
        visible_at = datetime.now(UTC) + timedelta(seconds=self._pace.appear_after_s)
        chosen = dict(self.own_variables if variables is None else variables)
        record = DeploymentRecord(commit, creator, visible_at, variables=chosen)
        self.deployments.append(record)
        self._rollout = asyncio.create_task(self._roll_out(record, needs_build=needs_build, after=self._rollout))
        self._on_change()
        return record

    def resume(self, record: DeploymentRecord) -> None:
        """Start the deployment that was active when the sandbox last ended, under its old id."""
        record.variables = dict(self.own_variables)
        record.become(DeploymentStatus.INITIALIZING)
        self.active = record
        self._resuming = asyncio.create_task(self._roll_out(record, needs_build=False, after=None))
        self._rollout = self._resuming

    def restart(self, record: DeploymentRecord) -> None:
        """Stop and start its replicas, one after the other: same deployment, no build."""
        self._spawn(self._restart(record))

    def stop(self, record: DeploymentRecord) -> None:
        """Stop its replicas; it stays the active deployment, without a running instance."""
        self._spawn(stop_replicas(record.replicas, self._pace.draining_s, InstanceStatus.STOPPED))

    def scale(self, regions: Mapping[str, int]) -> None:
        """Run this many replicas in each region: running ones stay, new ones use the running image."""
        self.regions = dict(regions)
        self._on_change()
        if self.active and not self.active.is_stopped:
            self._spawn(self._follow_regions(self.active))

    def change_variables(self, changes: Mapping[str, str | None]) -> None:
        """Set these variables, and remove those that are None, from the next deployment on."""
        kept = {name: value for name, value in self.own_variables.items() if name not in changes}
        self.own_variables = kept | {name: value for name, value in changes.items() if value is not None}
        self._on_change()

    def variables(self) -> dict[str, str]:
        """The variables that the next deployment gets, without those of a deployment (SHA, port, replica)."""
        return {**self.own_variables, **self._place.variables_of(self.id, self.spec.name)}

    def find_replica(self, replica_id: str) -> Replica | None:
        """The replica of the active deployment with this id, or None."""
        replicas = self.active.replicas if self.active else []
        return next((replica for replica in replicas if replica.id == replica_id), None)

    async def close(self) -> None:
        """Stop everything. The active deployment keeps its status: the next start resumes it."""
        self._is_closing = True
        tasks = [task for task in (self._rollout, self._resuming, *self._background) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        replicas = [replica for record in self.deployments for replica in record.replicas]
        await stop_replicas(replicas, self._pace.shutdown_s, InstanceStatus.STOPPED)

    async def _roll_out(self, record: DeploymentRecord, *, needs_build: bool, after: asyncio.Task[None] | None) -> None:
        rollout = Rollout(record, self._pace, self.spec.healthcheck_path, self._http, self._on_change)
        try:
            await self._settle(after)
            await rollout.build(needs_build=needs_build)
            record.replicas = self._create_replicas(record)
            if await rollout.start():
                self._take_over(record)
        except asyncio.CancelledError:
            await self._give_up(record)
            raise

    async def _settle(self, rollout: asyncio.Task[None] | None) -> None:
        """Cancel a rollout in progress, or let it finish if it resumes the active deployment."""
        if rollout is None or rollout.done():
            return
        if rollout is not self._resuming:
            rollout.cancel()
        await asyncio.wait({rollout})

    async def _give_up(self, record: DeploymentRecord) -> None:
        if record is not self.active:
            patience_s = self._pace.shutdown_s if self._is_closing else self._pace.draining_s
            await stop_replicas(record.replicas, patience_s)
            record.become(DeploymentStatus.REMOVED)
            record.replicas = []
            self._on_change()

    def _take_over(self, record: DeploymentRecord) -> None:
        old, self.active = self.active, record
        if old and old is not record:
            self._spawn(self._remove(old))
        self._spawn(self._follow_regions(record))  # the service may have been scaled during the rollout
        self._follow_replicas(record)

    async def _remove(self, record: DeploymentRecord) -> None:
        record.become(DeploymentStatus.REMOVING)
        self._on_change()
        await stop_replicas(record.replicas, self._pace.draining_s)
        record.become(DeploymentStatus.REMOVED)
        record.replicas = []
        self._on_change()

    async def _restart(self, record: DeploymentRecord) -> None:
        record.become(DeploymentStatus.DEPLOYING)
        self._on_change()
        for replica in list(record.replicas):
            await replica.stop(self._pace.draining_s, InstanceStatus.STOPPED)
            if record is not self.active:  # replaced in the meantime
                return
            replica.start()
            await replica.wait_until_tried()
        record.become(DeploymentStatus.SUCCESS)
        self._follow_replicas(record)

    async def _follow_regions(self, record: DeploymentRecord) -> None:
        surplus: list[Replica] = []
        for region in {*self.regions, *(replica.region for replica in record.replicas)}:
            wanted = self.regions.get(region, 0)
            there = [one for one in record.replicas if one.region == region and not one.is_leaving]
            surplus += there[wanted:]
            for replica in self._launch_replicas(record, region, wanted - len(there)):
                record.replicas.append(replica)
                replica.start()
        await stop_replicas(surplus, self._pace.draining_s)
        record.replicas = [replica for replica in record.replicas if replica not in surplus]
        self._on_change()

    def _create_replicas(self, record: DeploymentRecord) -> list[Replica]:
        return [
            replica
            for region, count in self.regions.items()
            for replica in self._launch_replicas(record, region, count)
        ]

    def _launch_replicas(self, record: DeploymentRecord, region: str, count: int) -> list[Replica]:
        variables = {**self.variables(), **(record.variables or {}), **record.own_variables}
        launch = Launch(self.spec.command_of(record.commit), variables, self._place.directory, region)
        return [
            Replica(launch, pace=self._pace, logs=record.logs, on_change=lambda: self._follow_replicas(record))
            for _ in range(count)
        ]

    def _follow_replicas(self, record: DeploymentRecord) -> None:
        if not self._is_closing:
            record.follow_replicas()
        self._on_change()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
