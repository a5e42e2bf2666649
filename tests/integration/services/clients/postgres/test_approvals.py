"""Decisions about a run: one per person, only while it waits, and one approval however many decide at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import psycopg
import pytest

from services.clients.postgres import approvals, runs
from services.clients.postgres.pool import Connection, Database
from services.domain.people import Person
from services.domain.runs import RunState

ANN, BEN = Person("U1", "T1"), Person("U2", "T1")
HASH = "a" * 64

FileRun = Callable[..., Awaitable[int]]


async def decide(conn: Connection, run_id: int, person: Person, *, approve: bool = True, plan_hash: str = HASH) -> bool:
    return await approvals.record_decision(
        conn,
        run_id=run_id,
        person=person,
        approve=approve,
        reason="looks right",
        plan_hash=plan_hash,
        policy_hash="p1",
    )


@pytest.fixture
async def waiting(as_bot: Connection, file_run: FileRun) -> int:
    return await file_run(as_bot, state=RunState.AWAITING_APPROVAL, approvals_needed=1)


async def test_a_decision_is_read_as_it_was_made(as_bot: Connection, waiting: int) -> None:
    assert await decide(as_bot, waiting, ANN)

    (decision,) = await approvals.list_decisions(as_bot, waiting)
    assert (decision.person, decision.approve, decision.reason) == (ANN, True, "looks right")
    assert (decision.run_id, decision.plan_hash, decision.policy_hash) == (waiting, HASH, "p1")
    assert decision.decided_at.tzinfo is not None


async def test_a_second_click_of_the_same_person_is_no_second_decision(as_bot: Connection, waiting: int) -> None:
    assert await decide(as_bot, waiting, ANN)

    assert not await decide(as_bot, waiting, ANN, approve=False)
    assert [decision.approve for decision in await approvals.list_decisions(as_bot, waiting)] == [True]


async def test_the_same_user_id_in_another_workspace_is_another_person(as_bot: Connection, waiting: int) -> None:
    assert await decide(as_bot, waiting, ANN)
    assert await decide(as_bot, waiting, replace(ANN, team_id="T2"))


async def test_a_decision_on_another_plan_does_not_count(as_bot: Connection, waiting: int) -> None:
    assert not await decide(as_bot, waiting, ANN, plan_hash="b" * 64)


async def test_an_expired_request_takes_no_decision(as_bot: Connection, file_run: FileRun) -> None:
    run_id = await file_run(as_bot, state=RunState.AWAITING_APPROVAL, approvals_needed=1, expires_at_s=0.01)
    await asyncio.sleep(0.05)

    assert not await decide(as_bot, run_id, ANN)


@pytest.mark.parametrize("to", [RunState.APPROVED, RunState.CANCELLED, RunState.EXPIRED, RunState.VOIDED])
async def test_run_takes_no_decision_once_it_left_awaiting_approval(
    as_bot: Connection, file_run: FileRun, to: RunState
) -> None:
    run_id = await file_run(as_bot, state=RunState.AWAITING_APPROVAL)
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.AWAITING_APPROVAL], to=to)

    assert not await decide(as_bot, run_id, ANN)


async def test_decide_does_nothing_when_the_run_does_not_exist(as_bot: Connection) -> None:
    assert not await decide(as_bot, 1, ANN)


async def approve(database: Database, run_id: int, person: Person) -> tuple[bool, bool]:
    """Decide as a replica does on a click, in one transaction; return (decision recorded, run approved by it)."""
    async with database.transaction() as conn:
        recorded = await decide(conn, run_id, person)
        run, decisions = await runs.read_run(conn, run_id), await approvals.list_decisions(conn, run_id)
        if not recorded or run is None or len(decisions) < run.approvals_needed:
            return recorded, False
        waits = [RunState.AWAITING_APPROVAL]
        return recorded, await runs.transition_run(conn, run_id=run_id, from_=waits, to=RunState.APPROVED)


@pytest.mark.parametrize("needed", [1, 2])
async def test_simultaneous_decisions_approve_once(database: Database, file_run: FileRun, needed: int) -> None:
    async with database.transaction() as conn:
        ids = [
            await file_run(conn, state=RunState.AWAITING_APPROVAL, approvals_needed=needed, services=())
            for _ in range(50)
        ]

    for run_id in ids:
        both = await asyncio.gather(approve(database, run_id, ANN), approve(database, run_id, BEN))

        assert [approved for _, approved in both].count(True) == 1
        assert [recorded for recorded, _ in both].count(True) == needed


async def test_a_double_click_on_two_replicas_is_one_decision(database: Database, file_run: FileRun) -> None:
    async with database.transaction() as conn:
        run_id = await file_run(conn, state=RunState.AWAITING_APPROVAL, approvals_needed=1)

    clicks = await asyncio.gather(*[approve(database, run_id, ANN) for _ in range(20)])

    assert clicks.count((True, True)) == 1
    assert clicks.count((False, False)) == 19


async def test_the_table_itself_takes_no_decision_on_an_expired_request(as_bot: Connection, file_run: FileRun) -> None:
    """For any query: the trigger is the last guard."""
    run_id = await file_run(as_bot, state=RunState.AWAITING_APPROVAL, approvals_needed=1, expires_at_s=0.01)
    await asyncio.sleep(0.05)
    insert = (
        "INSERT INTO chatops.run_decisions (run_id, user_id, team_id, approve, reason, plan_hash, policy_hash)"
        " VALUES (%s, 'U1', 'T1', true, '', %s, 'p1')"
    )

    with pytest.raises(psycopg.errors.CheckViolation, match="does not wait for a decision"):
        await as_bot.execute(insert, (run_id, HASH))
