"""Two replicas of the API and two of the ingest worker on one database; a killed one is restarted immediately."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

import httpx

from services.sandbox.web_server import find_free_port
from tests.integration.services.conftest import RunningProcess, Spawn

Kind = Literal["api", "worker"]
KINDS: tuple[Kind, ...] = ("api", "worker")

KEY = "df_chaos"
API = {
    "LISTEN_ADDRESS": "127.0.0.1",
    "DRAGONFLY_API_KEY": KEY,
    "REQUESTS_PER_MINUTE_PER_ADDRESS": "1000000",
    "REQUESTS_PER_MINUTE_PER_KEY": "1000000",
}
# Silent workers are searched for all the time; 10 min of silence are written into the database, not waited for.
WORKER = {"REAP_EVERY_S": "0.1", "POLL_EVERY_S": "0.1"}


@dataclass
class Replica:
    """`port`: of an API, and constant; `worker_id`: of a worker, and new with each start."""

    kind: Kind
    port: int = 0
    worker_id: str = ""
    process: RunningProcess | None = None


@dataclass
class Fleet:
    """`serving`: the API that handles the client's request now; `dead`: the ids of the workers that were killed."""

    spawn: Spawn
    dsn: str
    replicas: list[Replica] = field(default_factory=list)
    serving: Replica | None = None
    dead: list[str] = field(default_factory=list)
    _starting: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Self]:
        self.replicas = [Replica("api", find_free_port()), Replica("api", find_free_port())]
        self.replicas += [Replica("worker"), Replica("worker")]
        try:
            await asyncio.gather(*map(self._start, self.replicas))
            yield self
        finally:
            await asyncio.gather(*self._starting)

    def running(self, kind: Kind) -> list[Replica]:
        return [replica for replica in self.replicas if replica.kind == kind and replica.process]

    async def one_runs(self, kind: Kind) -> None:
        """Wait until there is one to kill."""
        while not self.running(kind):
            await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)

    async def kill(self, replica: Replica) -> None:
        """Kill it with `kill -9`; return once it has died and its successor is starting."""
        assert replica.process
        replica.process.signal(signal.SIGKILL)
        await replica.process.exit_code()
        if replica.kind == "worker":
            self.dead.append(replica.worker_id)
        replica.process, replica.worker_id = None, ""
        task = asyncio.create_task(self._start(replica))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def upload(self, content: bytes) -> None:
        """Upload like a client behind an edge, which tries again until the file is known to be stored."""
        while True:
            for replica in self.running("api"):
                self.serving = replica
                if await _send(replica.port, content):
                    self.serving = None
                    return
            await asyncio.sleep(0.02)

    async def _start(self, replica: Replica) -> None:
        if replica.kind == "api":
            process = await self.spawn("services.api", SUPABASE_DB_URL=self.dsn, PORT=str(replica.port), **API)
            await process.line_with("Application startup complete")
        else:
            process = await self.spawn("services.ingest_worker", SUPABASE_DB_URL=self.dsn, **WORKER)
            replica.worker_id = re.findall(r"ingest-[0-9a-f]+", await process.line_with("Worker ID:"))[0]
            await process.line_with("Entering main loop")
        replica.process = process


async def _send(port: int, content: bytes) -> bool:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        try:
            answer = await client.post(
                "/api/v1/intake/upload", headers={"X-DRAGONFLY-API-KEY": KEY}, files={"file": ("rows.csv", content)}
            )
        except httpx.TransportError:
            return False
    return answer.status_code in (202, 409)  # 409: it was stored, and the answer was lost
