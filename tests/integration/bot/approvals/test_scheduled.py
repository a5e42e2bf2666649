"""Runs that are approved now and start later: once, on two replicas, and only if the system is unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.alerts.planned_silences import PlannedSilences
from bot.approvals.decisions import Decided
from bot.approvals.reminders import ScheduledRuns
from bot.freezes.notices import FreezeNotices
from bot.leader import Fence
from bot.runs.message import RunMessageWriter
from bot.wake_ups import WakeUps
from playbooks.later import start_of, write_start
from playbooks.model import NoPlan
from playbooks.plan import Plan
from playbooks.steps import LockService
from services.clients.postgres import runs
from services.clients.postgres.alerts import create_planned_silence
from services.clients.postgres.leases import LEADER, take_lease
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.errors import OperatorError, SourceError
from services.domain.moments import WEEKDAYS
from services.domain.people import OUTSIDE
from services.domain.runs import Run, RunState
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.approvals.conftest import (
    ANN,
    BEN,
    OLIVIA,
    RULES,
    Books,
    MakeApprovalService,
    MakePlan,
    request,
    say,
)
from tests.integration.bot.approvals.test_freezes import LISTED, freeze, replicas
from tests.integration.bot.approvals.test_freezes import databases as databases


def no_approvers(_run: Run) -> Sequence[str]:
    return ()


COME = "UPDATE chatops.runs SET start_at = clock_timestamp() WHERE id = %s"


@pytest.fixture
async def plan(make_plan: MakePlan, books: Books) -> Plan:
    """A deploy in 1 hour."""
    at = write_start(await read_clock(books.conn) + timedelta(hours=1))
    made = make_plan(playbook="deploy")
    return replace(made, steps=(LockService(Service.API, "once"),), parameters={**made.parameters, "at": at})


@pytest.fixture
async def scheduled(make_approval_service: MakeApprovalService, plan: Plan, books: Books) -> Run:
    service = make_approval_service(**LISTED)
    run = await service.file(plan, request(OLIVIA))
    assert isinstance(await service.decide(run.id, ANN, approve=True), Decided)
    return await books.run(run.id)


async def start(database: Database, run: Run) -> None:
    """Start the run as a replica of an older release would, which ignores start times."""
    async with database.transaction() as conn:
        await runs.take_services(conn, run_id=run.id)
        await runs.transition_run(conn, run_id=run.id, from_=[RunState.APPROVED], to=RunState.RUNNING)


async def ended(books: Books, run_id: int) -> Run:
    async with asyncio.timeout(60):
        while not (run := await books.run(run_id)).state.is_final:
            await asyncio.sleep(0.01)
    return run


async def test_run_waits_for_its_time_and_starts_once_on_two_replicas(
    databases: Sequence[Database], plan: Plan, scheduled: Run, books: Books, as_owner: Connection
) -> None:
    assert scheduled.is_scheduled
    assert scheduled.start_at is not None
    assert scheduled.expires_at > scheduled.start_at
    assert "SCHEDULED" in await books.message(scheduled.id)
    with pytest.raises(SourceError, match="its time has not come"):
        await start(databases[0], scheduled)

    async with replicas(databases, plan):
        # A run on the same service in the meantime does not void it: it is planned again at its start time.
        await as_owner.execute(COME, [scheduled.id])
        run = await ended(books, scheduled.id)

    assert run.state is RunState.SUCCEEDED
    events = await books.events(scheduled.id)
    assert (events.count("run.started"), events.count("run.step")) == (1, 1)


async def test_another_run_on_the_service_leaves_it_to_its_own_time(
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    plan: Plan,
    scheduled: Run,
    books: Books,
) -> None:
    service = make_approval_service(**LISTED)
    now = replace(plan, parameters={"service": "api"})
    async with replicas(databases, now):
        other = await service.file(now, request(OLIVIA))
        await service.decide(other.id, ANN, approve=True)
        assert (await ended(books, other.id)).state is RunState.SUCCEEDED

    assert (await books.run(scheduled.id)).is_scheduled


@pytest.mark.parametrize("emergency", ["stop-workers", "rollback"])
async def test_scheduled_run_is_voided_by_an_emergency_run_on_its_service(
    emergency: str,
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    plan: Plan,
    scheduled: Run,
    books: Books,
) -> None:
    """No person checks it again at 02:00: it must not start what was stopped or rolled back in the meantime."""
    service = make_approval_service(**LISTED)
    now = replace(plan, playbook=emergency, title=f"{emergency} api", parameters={"service": "api"})
    async with replicas(databases, now):
        other = await service.file(now, request(OLIVIA))
        await service.decide(other.id, ANN, approve=True)
        assert (await ended(books, other.id)).state is RunState.SUCCEEDED

    run = await books.run(scheduled.id)
    assert (run.state, run.outcome) == (
        RunState.VOIDED,
        f"Void: run {other.id} ({emergency} api) started on the same service.",
    )
    assert "run.made_way" in await books.events(scheduled.id)


async def test_run_is_void_when_the_plan_of_its_time_differs(
    databases: Sequence[Database], plan: Plan, scheduled: Run, books: Books, as_owner: Connection
) -> None:
    other = replace(plan, steps=(LockService(Service.API, "something else"),))
    async with replicas(databases, other):
        await as_owner.execute(COME, [scheduled.id])
        run = await ended(books, scheduled.id)

    assert run.state is RunState.VOIDED
    assert "something else" in (run.outcome or "")


async def test_run_whose_plan_is_unknown_at_its_time_waits_for_it_and_expires(
    databases: Sequence[Database], plan: Plan, scheduled: Run, books: Books, as_owner: Connection
) -> None:
    """A plan that is a week old does not start unchecked; one approved just now does: its steps check again."""
    tries = asyncio.Semaphore(0)

    async def unknown(_parameters: object, _world: object) -> NoPlan:
        tries.release()
        return NoPlan("Railway is needed", "try again", is_unknown=True)

    async with replicas(databases, plan, make=unknown):
        await as_owner.execute(COME, [scheduled.id])
        async with asyncio.timeout(60):
            await tries.acquire()
            await tries.acquire()
        assert (await books.run(scheduled.id)).state is RunState.APPROVED
        await as_owner.execute("UPDATE chatops.runs SET expires_at = clock_timestamp() WHERE id = %s", [scheduled.id])
        async with databases[0].transaction() as conn:
            await runs.expire_runs(conn)

    run = await books.run(scheduled.id)
    assert (run.state, run.outcome) == (RunState.EXPIRED, "approved, but not started in time")


@pytest.mark.parametrize(
    ("left", "why"),
    [
        ({"operators": (ANN.user_id,)}, "the requester no longer has"),
        ({"approvers": (BEN.user_id,)}, "1 approval is missing"),
    ],
)
async def test_run_of_people_who_lost_the_right_meanwhile_is_void(
    left: dict[str, Any],
    why: str,
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    plan: Plan,
    scheduled: Run,
    books: Books,
    as_owner: Connection,
) -> None:
    now = make_approval_service(**{**LISTED, **left})
    async with replicas(databases, plan, why_revoked=now.why_revoked):
        await as_owner.execute(COME, [scheduled.id])
        run = await ended(books, scheduled.id)

    assert run.state is RunState.VOIDED
    assert why in (run.outcome or "")


async def test_run_of_people_who_still_hold_the_right_starts(
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    plan: Plan,
    scheduled: Run,
    books: Books,
    as_owner: Connection,
) -> None:
    async with replicas(databases, plan, why_revoked=make_approval_service(**LISTED).why_revoked):
        await as_owner.execute(COME, [scheduled.id])
        assert (await ended(books, scheduled.id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("failing", [1, 2])
async def test_run_is_not_begun_while_slack_does_not_describe_one_of_its_people(
    make_approval_service: MakeApprovalService, scheduled: Run, workspace: Workspace, failing: int
) -> None:
    """By the lists both hold their rights, but the account may have been deactivated since."""
    service = make_approval_service(**LISTED)
    assert await service.why_revoked(scheduled) is None
    started_anew = make_approval_service(**LISTED)
    workspace.faults.plant("users.info", FaultKind.SERVER_ERROR, times=failing)

    with pytest.raises(SourceError, match="is unknown"):
        await started_anew.why_revoked(scheduled)


async def test_hours_of_the_policy_are_those_of_its_time(
    make_approval_service: MakeApprovalService, plan: Plan
) -> None:
    start = start_of(plan.parameters)
    assert start is not None
    weekday = WEEKDAYS[start.weekday()]
    rule = f'[[deny]]\nmay = "request"\nwho = ["*"]\nverbs = ["deploy"]\nhours = ["{weekday} {start:%H:%M}-{{}}"]\n'
    denies = rule.format((start + timedelta(minutes=1)).strftime("%H:%M").replace("00:00", "midnight"))
    service = make_approval_service(**LISTED, rules=RULES + denies)

    with pytest.raises(OperatorError, match="does not allow you to request"):
        await service.file(plan, request(OLIVIA))


async def test_freeze_of_its_time_makes_it_void_and_a_person_can_cancel_it_before(
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    plan: Plan,
    scheduled: Run,
    books: Books,
    as_owner: Connection,
) -> None:
    service = make_approval_service(**LISTED)
    cancelled = await service.file(plan, request(OLIVIA))
    await service.decide(cancelled.id, ANN, approve=True)
    assert isinstance(await service.cancel(cancelled.id, OLIVIA), Decided)
    await freeze(databases[0])
    async with replicas(databases, plan):
        await as_owner.execute(COME, [scheduled.id])
        run = await ended(books, scheduled.id)

    assert run.state is RunState.VOIDED
    assert (run.outcome or "").startswith("Not started: api is frozen by")
    assert (await books.run(cancelled.id)).state is RunState.CANCELLED


async def test_scheduled_run_of_a_machine_notifies_the_approvers_before_the_start(
    databases: Sequence[Database], scheduled: Run, books: Books, as_owner: Connection
) -> None:
    async with databases[0].transaction() as conn:
        epoch = await take_lease(conn, name=LEADER, owner="leader", duration=timedelta(minutes=5))
    assert epoch is not None
    task = ScheduledRuns(databases[0], RunMessageWriter(say), approvers=lambda _run: [model.APPROVERS.id])
    soon = "start_at = clock_timestamp() + interval '9 minutes', requested_by_user = 'machine:ci'"
    await as_owner.execute(f"UPDATE chatops.runs SET {soon}, requested_by_team = %s", [OUTSIDE])  # noqa: S608 - ours

    await task.tick(Fence("leader", epoch))

    note = "SELECT text FROM chatops.outbox WHERE key LIKE 'run:%:note:soon'"
    [(text,)] = await (await books.conn.execute(note)).fetchall()
    assert text.startswith(f"<!subteam^{model.APPROVERS.id}> Run {scheduled.id} starts at")


async def test_scheduled_run_notifies_its_requester_once_before_the_start(
    databases: Sequence[Database], scheduled: Run, books: Books, as_owner: Connection
) -> None:
    async with databases[0].transaction() as conn:
        epoch = await take_lease(conn, name=LEADER, owner="leader", duration=timedelta(minutes=5))
    assert epoch is not None
    task, fence = ScheduledRuns(databases[0], RunMessageWriter(say), approvers=no_approvers), Fence("leader", epoch)
    notes = "SELECT text, content_version FROM chatops.outbox WHERE key LIKE 'run:%:note:soon'"

    await task.tick(fence)
    assert await (await books.conn.execute(notes)).fetchall() == []
    soon = "UPDATE chatops.runs SET start_at = clock_timestamp() + interval '9 minutes'"
    await as_owner.execute(soon)
    await task.tick(fence)
    await task.tick(fence)

    [(text, version)] = await (await books.conn.execute(notes)).fetchall()
    assert text.startswith(f"<@{OLIVIA.user_id}> Run {scheduled.id} starts at")
    assert f"cancel {scheduled.id}" in text
    assert version == 1


@pytest.mark.usefixtures("scheduled")
async def test_a_tick_with_what_is_due_later_wakes_no_sender_and_needs_no_lease(databases: Sequence[Database]) -> None:
    """A freeze without an end, a silence of tomorrow and a run in 1 hour cost one read per tick."""
    await freeze(databases[0])
    async with databases[0].transaction() as conn:
        tomorrow = await read_clock(conn) + timedelta(days=1)
        await create_planned_silence(
            conn,
            what="ingest",
            owner=OLIVIA.user_id,
            reason="backup",
            begins_at=tomorrow,
            ends_at=tomorrow + timedelta(hours=1),
            recurrence=None,
        )
    woken: list[str] = []
    wake_ups, no_lease = WakeUps(), Fence("another replica", 1)
    with wake_ups.outbox.listen(lambda: woken.append("outbox")):
        for task in (
            ScheduledRuns(databases[0], RunMessageWriter(say, wake_ups), approvers=no_approvers),
            FreezeNotices(databases[0], channel="C0", wake_ups=wake_ups),
            PlannedSilences(databases[0], wake_ups, channel="C0"),
        ):
            await task.tick(no_lease)

    assert woken == []
