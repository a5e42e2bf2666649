"""Two approval services at the same moment, double clicks and redeliveries: one transition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from bot.approvals.access import Refused
from bot.approvals.decisions import Decided
from bot.approvals.service import ApprovalService
from bot.config.environment import Settings
from bot.config.timing import RunSettings
from bot.runs.engine import Dependencies
from bot.runs.message import RunMessageWriter
from bot.runs.runner import Runner
from bot.world import World
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import LockService
from services.clients.postgres.approvals import list_decisions
from services.clients.postgres.pool import Database
from services.domain.runs import RunState
from services.domain.secrets import Secret
from services.domain.services import Service
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import (
    ANN,
    BEN,
    OLIVIA,
    Books,
    MakeApprovalService,
    MakePlan,
    request,
    say,
)
from tests.integration.conftest import Pooled

ROUNDS, EXECUTIONS, CHAOS_ROUNDS = 50, 20, 1000
LISTED = {"operators": (OLIVIA.user_id,), "approvers": (ANN.user_id, BEN.user_id)}


async def race(desks: tuple[ApprovalService, ApprovalService], make_plan: MakePlan, books: Books, rounds: int) -> None:
    """Ann clicks twice on one replica while Ben clicks on the other."""
    first, second = desks
    for _ in range(rounds):
        run = await first.file(make_plan(), request(OLIVIA))

        outcomes = await asyncio.gather(
            first.decide(run.id, ANN, approve=True),
            second.decide(run.id, BEN, approve=True),
            second.decide(run.id, ANN, approve=True),
        )

        assert [type(outcome) for outcome in outcomes].count(Decided) == 1
        assert (await books.run(run.id)).state is RunState.APPROVED
        events = await books.events(run.id)
        assert events.count("run.approved") == 1
        assert len(await list_decisions(books.conn, run.id)) == 1


async def test_two_approvers_in_the_same_instant_approve_once(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    await race((make_approval_service(**LISTED), make_approval_service(**LISTED)), make_plan, books, ROUNDS)


async def test_two_approvers_approve_once_through_a_transaction_pooler_too(
    make_approval_service: MakeApprovalService,
    make_plan: MakePlan,
    books: Books,
    database_urls: DatabaseUrls,
    pooled: Pooled,
) -> None:
    dsn = pooled(database_urls.bot)

    await race(
        (make_approval_service(**LISTED, dsn=dsn), make_approval_service(**LISTED, dsn=dsn)), make_plan, books, 40
    )


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_two_approvers_in_the_same_instant_approve_once_in_a_thousand_rounds(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    await race((make_approval_service(**LISTED), make_approval_service(**LISTED)), make_plan, books, CHAOS_ROUNDS)


async def race_to_run(
    desks: tuple[ApprovalService, ApprovalService],
    databases: Sequence[Database],
    make_plan: MakePlan,
    books: Books,
    rounds: int,
) -> None:
    """The same clicks while a runner of each replica waits for the approved run."""
    plan = replace(make_plan(), steps=(LockService(Service.API, "raced"),))

    async def make_again(_parameters: object, _world: World) -> Plan:
        return plan

    settings = replace(Settings.from_environment({}), runs=RunSettings(check_every_s=0.02))
    gears = [
        Dependencies(
            database,
            World(settings, database=database),
            {plan.playbook: make_again},
            RunMessageWriter(say),
            settings.runs,
        )
        for database in databases
    ]
    runners = [Runner(dependencies, owner=f"replica-{n}") for n, dependencies in enumerate(gears)]
    running = [asyncio.create_task(runner.run()) for runner in runners]
    for _ in range(rounds):
        run = await desks[0].file(plan, request(OLIVIA))

        clicks = [(approval_service, person) for approval_service in desks for person in (ANN, BEN)]
        await asyncio.gather(
            *(approval_service.decide(run.id, person, approve=True) for approval_service, person in clicks)
        )
        async with asyncio.timeout(60):
            while not (await books.run(run.id)).state.is_final:
                await asyncio.sleep(0.01)

        assert (await books.run(run.id)).state is RunState.SUCCEEDED
        events = await books.events(run.id)
        assert (events.count("run.approved"), events.count("run.started"), events.count("run.step")) == (1, 1, 1)
    for task, runner in zip(running, runners, strict=True):
        task.cancel()
        await runner.hand_over()


@pytest.fixture
async def databases(database_urls: DatabaseUrls) -> AsyncIterator[Sequence[Database]]:
    """The database pools of two replicas."""
    both = [
        Database.connect_lazily(Secret(database_urls.bot), application_name="runner", timeout_s=60.0) for _ in range(2)
    ]
    yield both
    for database in both:
        await database.close()


async def test_double_approvals_are_one_execution(
    make_approval_service: MakeApprovalService, databases: Sequence[Database], make_plan: MakePlan, books: Books
) -> None:
    await race_to_run(
        (make_approval_service(**LISTED), make_approval_service(**LISTED)), databases, make_plan, books, EXECUTIONS
    )


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.timeout(900)
async def test_double_approvals_are_one_execution_in_a_thousand_rounds(
    make_approval_service: MakeApprovalService, databases: Sequence[Database], make_plan: MakePlan, books: Books
) -> None:
    await race_to_run(
        (make_approval_service(**LISTED), make_approval_service(**LISTED)), databases, make_plan, books, CHAOS_ROUNDS
    )


async def test_both_halves_of_a_critical_approval_in_the_same_instant_make_it_whole(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    """Each sees the other's approval: they never both believe that one is missing."""
    first, second = make_approval_service(**LISTED), make_approval_service(**LISTED)
    for _ in range(20):
        run = await first.file(make_plan(Risk.CRITICAL, playbook="rollback-db"), request(OLIVIA))

        outcomes = await asyncio.gather(
            first.decide(run.id, ANN, approve=True, typed="rollback-db api dev"),
            second.decide(run.id, BEN, approve=True, typed="rollback-db api dev"),
        )

        assert sorted(outcome.missing for outcome in outcomes if isinstance(outcome, Decided)) == [0, 1]
        assert (await books.run(run.id)).state is RunState.APPROVED


async def test_approval_and_denial_in_the_same_instant_are_one_of_them(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    first, second = make_approval_service(**LISTED), make_approval_service(**LISTED)
    for _ in range(20):
        run = await first.file(make_plan(), request(OLIVIA))

        approval, denial = await asyncio.gather(
            first.decide(run.id, ANN, approve=True), second.decide(run.id, BEN, approve=False)
        )

        assert isinstance(approval, Decided) is isinstance(denial, Refused)
        state = (await books.run(run.id)).state
        assert state is (RunState.APPROVED if isinstance(approval, Decided) else RunState.CANCELLED)


async def test_approval_and_cancellation_in_the_same_instant_leave_it_cancelled(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    """A run that was approved first and has not started is cancelled too."""
    first, second = make_approval_service(**LISTED), make_approval_service(**LISTED)
    for _ in range(20):
        run = await first.file(make_plan(), request(OLIVIA))

        _, cancellation = await asyncio.gather(first.decide(run.id, ANN, approve=True), second.cancel(run.id, OLIVIA))

        assert isinstance(cancellation, Decided)
        assert (await books.run(run.id)).state is RunState.CANCELLED


async def test_redelivered_confirmation_confirms_once(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    first, second = make_approval_service(**LISTED), make_approval_service(**LISTED)
    run = await first.file(make_plan(Risk.LOW, playbook="restart"), request(OLIVIA))

    outcomes = await asyncio.gather(
        *(approval_service.confirm(run.id, OLIVIA) for approval_service in (first, second) for _ in range(3))
    )

    assert [type(outcome) for outcome in outcomes].count(Decided) == 1
    assert (await books.events(run.id)).count("run.confirmed") == 1
