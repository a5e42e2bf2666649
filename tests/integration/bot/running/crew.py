"""Workers that send heartbeats until a test kills or stops them."""

from __future__ import annotations

import asyncio

from tests.integration.bot.conftest import System

BEAT_EVERY_S = 0.3


class Worker:
    """Sends heartbeats from its start until it is killed or stopped."""

    def __init__(self, system: System, worker_id: str, worker_type: str = "ingest_processor") -> None:
        self._system = system
        self._id = worker_id
        system.beat(worker_id, worker_type)
        self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            self.set("status = 'running'")
            await asyncio.sleep(BEAT_EVERY_S)

    def set(self, columns: str) -> None:
        self._system.run(
            f"UPDATE ops.worker_heartbeats SET {columns}, last_heartbeat_at = clock_timestamp()"  # noqa: S608 - ours
            f" WHERE worker_id = '{self._id}'"
        )

    def kill(self) -> None:
        self._beating.cancel()

    def stop(self) -> None:
        """Stop with a goodbye: the status `stopped`."""
        self._beating.cancel()
        self.set("status = 'stopped'")

    async def end(self) -> None:
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)


class Crew:
    """All workers of a test."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._all: list[Worker] = []

    def hire(self, worker_id: str, worker_type: str = "ingest_processor") -> Worker:
        self._all.append(Worker(self._system, worker_id, worker_type))
        return self._all[-1]

    async def end(self) -> None:
        for worker in self._all:
            await worker.end()
