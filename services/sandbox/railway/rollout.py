"""How a new deployment comes to serve, or fails to: build, start, health check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from services.domain.deployments import DeploymentStatus
from services.sandbox.railway.model import InstanceStatus, Pace
from services.sandbox.railway.records import DeploymentRecord
from services.sandbox.railway.replica import Replica

_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)


@dataclass(frozen=True)
class Rollout:
    """One attempt. `on_change` is called after each step."""

    record: DeploymentRecord
    pace: Pace
    healthcheck_path: str | None
    http: aiohttp.ClientSession
    on_change: Callable[[], None]

    async def build(self, *, needs_build: bool) -> None:
        """Up to DEPLOYING. A rollback or redeploy has its image already."""
        await asyncio.sleep(self.pace.initialize_s)
        if needs_build:
            self._become(DeploymentStatus.BUILDING)
            self.record.build_logs.write(f"Cloning the repository at {self.record.commit.sha}")
            await asyncio.sleep(self.pace.build_s)
            self.record.build_logs.write("Build finished")
        self._become(DeploymentStatus.DEPLOYING)

    async def start(self) -> bool:
        """Start the replicas. Whether they may take traffic; when not, they are stopped again and it has FAILED."""
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
    """Stop them all at once."""
    await asyncio.gather(*(replica.stop(drain_s, become) for replica in replicas))
