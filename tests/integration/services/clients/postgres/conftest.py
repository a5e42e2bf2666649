"""Shared fixtures of the tests of runs, approvals and the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.clients.postgres import leases, runs
from services.clients.postgres.pool import Connection, Database
from services.domain.people import Person
from services.domain.runs import NewRun, RunState, run_lease
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls

STEPS: tuple[Mapping[str, Any], ...] = ({"kind": "ScaleService"}, {"kind": "VerifyHeartbeats"})
NEW = NewRun(
    environment="staging",
    playbook="scale",
    parameters={"service": "api", "n": "2"},
    plan={"format": 1},
    plan_hash="a" * 64,
    risk="high",
    title="Scale api: 1 → 2",
    services=("dragonfly-api",),
    requested_by=Person("U1", "T1"),
    reason="more load",
    channel="dragonfly-incidents",
    approvals_needed=0,
    expires_at_s=900,
    state=RunState.APPROVED,
    kinds=("ScaleService", "VerifyHeartbeats"),
    format=1,
)

FileRun = Callable[..., Awaitable[int]]
StartRun = Callable[..., Awaitable[int]]


@pytest.fixture(params=["direct", "through a transaction pooler"])
async def database(request: pytest.FixtureRequest, database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """A pool with as many sessions as several replicas have together."""
    dsn = database_urls.bot
    if request.param != "direct":
        dsn = request.getfixturevalue("pooled")(dsn)
    database = Database.connect_lazily(Secret(dsn), application_name="test", max_size=20, timeout_s=60)
    yield database
    await database.close()


@pytest.fixture
def new_run() -> NewRun:
    """A run with two steps on the API that needed no approval."""
    return NEW


@pytest.fixture
def file_run() -> FileRun:
    """`await file_run(conn, **differences from new_run)` -> run id."""

    async def file(conn: Connection, **changes: Any) -> int:
        run_id = await runs.create_run(conn, replace(NEW, **changes), STEPS)
        assert run_id is not None
        return run_id

    return file


@pytest.fixture
def start_run(file_run: FileRun) -> StartRun:
    """`await start_run(conn, lease=…, **differences)` -> id of a running run whose lease has owner "a" and epoch 1."""

    async def start(conn: Connection, *, lease: timedelta = timedelta(minutes=1), **changes: Any) -> int:
        run_id = await file_run(conn, **changes)
        assert await runs.take_services(conn, run_id=run_id) == []
        assert await runs.transition_run(conn, run_id=run_id, from_=[RunState.APPROVED], to=RunState.RUNNING)
        assert await leases.take_lease(conn, name=run_lease(run_id), owner="a", duration=lease) == 1
        return run_id

    return start
