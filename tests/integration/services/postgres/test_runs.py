"""Runs in the database: filed, claimed by one, journaled under a fence, and ended for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.domain.runs import NewRun, Person, RunState, StepState, run_lease
from services.domain.secrets import Secret
from services.postgres import leases, runs
from services.postgres.pool import Connection, Database
from tests.conftest import DatabaseUrls

ANN, BEN = Person("U1", "T1"), Person("U2", "T1")
PLAN_HASH = "a" * 64
LONG, SHORT = timedelta(minutes=1), timedelta(milliseconds=100)
STEPS: tuple[Mapping[str, Any], ...] = ({"kind": "ScaleService"}, {"kind": "VerifyHeartbeats"})


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test")
    yield database
    await database.close()


def new_run(
    *,
    state: RunState = RunState.APPROVED,
    approvals_needed: int = 0,
    services: tuple[str, ...] = ("dragonfly-api",),
    expires_at_s: float = 900,
    kinds: tuple[str, ...] = ("ScaleService",),
) -> NewRun:
    return NewRun(
        environment="staging",
        playbook="scale",
        parameters={"service": "api", "n": "2"},
        plan={"format": 1},
        plan_hash=PLAN_HASH,
        risk="high",
        title="Scale api: 1 → 2",
        services=services,
        requested_by=ANN,
        reason="more load",
        channel="dragonfly-incidents",
        approvals_needed=approvals_needed,
        expires_at_s=expires_at_s,
        state=state,
        kinds=kinds,
        format=1,
    )


async def start(conn: Connection, new: NewRun | None = None, *, lease: timedelta = LONG) -> int:
    """A running run whose lease belongs to "a", epoch 1."""
    run_id = await runs.create_run(conn, new or new_run(), STEPS)
    assert await runs.take_services(conn, run_id=run_id) == []
    assert await runs.move_run(conn, run_id=run_id, from_=[RunState.APPROVED], to=RunState.RUNNING)
    assert await leases.take_lease(conn, name=run_lease(run_id), owner="a", duration=lease) == 1
    return run_id


async def test_a_run_is_read_as_it_was_filed(as_bot: Connection) -> None:
    new = new_run(state=RunState.AWAITING_APPROVAL, approvals_needed=1)

    run_id = await runs.create_run(as_bot, new, STEPS)

    run = await runs.read_run(as_bot, run_id)
    assert run is not None
    stored = {name: getattr(run, name) for name in vars(new) if name != "expires_at_s"}
    assert stored == {name: value for name, value in vars(new).items() if name != "expires_at_s"}
    assert run.expires_at - run.created_at == pytest.approx(timedelta(seconds=900), abs=timedelta(seconds=1))
    steps = await runs.read_steps(as_bot, run_id)
    assert [(step.position, step.step, step.state) for step in steps] == [
        (0, STEPS[0], StepState.PENDING),
        (1, STEPS[1], StepState.PENDING),
    ]


async def test_a_run_succeeds_step_by_step(as_bot: Connection) -> None:
    run_id = await start(as_bot)
    fence: dict[str, Any] = {"run_id": run_id, "owner": "a", "epoch": 1}

    assert await runs.intend_step(as_bot, **fence, position=0, intent={"seen": ["d1"]})
    assert await runs.start_step(as_bot, **fence, position=0)
    assert await runs.finish_step(as_bot, **fence, position=0, state=StepState.DONE, evidence={"replicas": 2})
    assert await runs.start_step(as_bot, **fence, position=1)
    assert await runs.finish_step(as_bot, **fence, position=1, state=StepState.NOT_PROVED, note="no beat yet")
    assert await runs.move_run(
        as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.SUCCEEDED, outcome="2 replicas"
    )

    run = await runs.read_run(as_bot, run_id)
    assert run is not None
    assert (run.state, run.outcome, run.ended_at is not None) == (RunState.SUCCEEDED, "2 replicas", True)
    assert [step.state for step in await runs.read_steps(as_bot, run_id)] == [StepState.DONE, StepState.NOT_PROVED]


async def claim_service(database: Database, run_id: int) -> bool:
    """What a replica does first with an approved run, in one transaction."""
    async with database.transaction() as conn:
        if await runs.take_services(conn, run_id=run_id):
            return False
        if not await runs.move_run(conn, run_id=run_id, from_=[RunState.APPROVED], to=RunState.RUNNING):
            return False
        await runs.void_waiting_runs(conn, services=["dragonfly-api"], except_run=run_id, outcome="another started")
        return True


async def test_of_200_that_claim_one_service_at_once_one_runs(database: Database) -> None:
    async with database.transaction() as conn:
        ids = [await runs.create_run(conn, new_run(), STEPS) for _ in range(200)]

    won = await asyncio.gather(*[claim_service(database, run_id) for run_id in ids])

    async with database.read() as conn:
        states = [run.state for run in await runs.list_runs(conn, limit=300)]
    assert (won.count(True), states.count(RunState.RUNNING), states.count(RunState.VOIDED)) == (1, 1, 199)
