"""A freeze and a deploy at the same moment: no run starts once the freeze is stored."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config.environment import Settings
from bot.config.timing import RunSettings
from bot.facts.plan import MakePlan as MakePlanAgain
from bot.freezes.notices import FreezeNotices
from bot.freezes.store import lift_freezes, store_freeze
from bot.leader import Fence
from bot.runs.engine import Dependencies
from bot.runs.message import RunMessageWriter
from bot.runs.runner import Runner
from bot.runs.start import WhyRevoked, never_revoked
from bot.wake_ups import WakeUps
from bot.world import World
from playbooks.plan import Plan
from playbooks.steps import LockService
from services.clients.postgres.freezes import list_freezes, share_freezes
from services.clients.postgres.leases import LEADER, take_lease
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.freezes import Freeze
from services.domain.runs import RunState
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.windows import Written
from services.sandbox.slack import model
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
from tests.locks import WAITS_FOR_ADVISORY, WAITS_FOR_SESSION

ROUNDS, CHAOS_ROUNDS = 25, 1000
LISTED = {"operators": (OLIVIA.user_id,), "approvers": (ANN.user_id, BEN.user_id)}


@pytest.fixture
async def databases(database_urls: DatabaseUrls) -> AsyncIterator[Sequence[Database]]:
    """The database pools of two replicas."""
    both = [
        Database.connect_lazily(Secret(database_urls.bot), application_name="runner", timeout_s=60.0) for _ in range(2)
    ]
    yield both
    for database in both:
        await database.close()


@asynccontextmanager
async def replicas(
    databases: Sequence[Database],
    plan: Plan,
    *,
    make: MakePlanAgain | None = None,
    why_revoked: WhyRevoked = never_revoked,
) -> AsyncIterator[None]:
    """Run two runners, which make the same plan again, or what `make` returns."""

    async def make_again(_parameters: object, _world: World) -> Plan:
        return plan

    settings = replace(Settings.from_environment({}), runs=RunSettings(check_every_s=0.01))
    runners = [
        Runner(
            Dependencies(
                database,
                World(settings, database=database),
                {plan.playbook: make or make_again},
                RunMessageWriter(say),
                settings.runs,
                why_revoked,
            ),
            owner=f"replica-{n}",
        )
        for n, database in enumerate(databases)
    ]
    running = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        yield
    finally:
        for task, runner in zip(running, runners, strict=True):
            task.cancel()
            await runner.hand_over()


async def freeze(database: Database, *, service: Service | None = Service.API, when: Written | None = None) -> Freeze:
    async with database.transaction() as conn:
        return await store_freeze(
            conn,
            kind="freeze",
            service=service,
            owner=OLIVIA.user_id,
            reason="the import runs",
            when=when or Written(),
            channel=model.INCIDENTS_ID,
        )


async def lift(database: Database, one: Freeze) -> None:
    async with database.transaction() as conn:
        await lift_freezes(conn, [one], by=OLIVIA.user_id, channel=model.INCIDENTS_ID)


async def race(
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    make_plan: MakePlan,
    books: Books,
    rounds: int,
) -> None:
    """A run that has started did so before the freeze was stored; any other is voided and says why."""
    plan = replace(make_plan(playbook="deploy"), steps=(LockService(Service.API, "raced"),))
    approvals, dice = make_approval_service(**LISTED), random.Random(505)  # noqa: S311 - delays
    seen: set[RunState] = set()
    async with replicas(databases, plan):
        for round_ in range(rounds):
            run = await approvals.file(plan, request(OLIVIA))
            await approvals.decide(run.id, ANN, approve=True)
            await asyncio.sleep(dice.uniform(0, 0.08))
            stored = await freeze(databases[round_ % 2])
            async with asyncio.timeout(60):
                while not (ended := await books.run(run.id)).state.is_final:
                    await asyncio.sleep(0.01)
            await lift(databases[0], stored)

            seen.add(ended.state)
            if ended.state is RunState.VOIDED:
                assert ended.started_at is None
                assert "api is frozen" in (ended.outcome or "")
            else:
                assert ended.started_at is not None
                assert ended.started_at < stored.created_at
    assert RunState.VOIDED in seen


async def test_no_deploy_starts_after_a_freeze_on_two_replicas(
    make_approval_service: MakeApprovalService, databases: Sequence[Database], make_plan: MakePlan, books: Books
) -> None:
    await race(make_approval_service, databases, make_plan, books, ROUNDS)


@pytest.mark.chaos
@pytest.mark.timeout(900)
async def test_no_deploy_starts_after_a_freeze_on_two_replicas_in_a_thousand_rounds(
    make_approval_service: MakeApprovalService, databases: Sequence[Database], make_plan: MakePlan, books: Books
) -> None:
    await race(make_approval_service, databases, make_plan, books, CHAOS_ROUNDS)


async def test_freeze_waits_for_a_run_that_is_starting(databases: Sequence[Database], as_owner: Connection) -> None:
    """From its check of the freezes until it has started, no freeze can be stored."""
    async with databases[0].transaction() as starting:
        await share_freezes(starting)
        assert await list_freezes(starting) == []
        storing = asyncio.create_task(freeze(databases[1]))
        async with asyncio.timeout(60):
            while await (await as_owner.execute(WAITS_FOR_ADVISORY)).fetchone() is None:
                await asyncio.sleep(0.01)
        assert await list_freezes(starting) == []
        committed_at = await read_clock(starting)

    assert (await storing).created_at > committed_at


async def test_run_that_is_starting_as_a_freeze_comes_starts_before_it(
    make_approval_service: MakeApprovalService,
    databases: Sequence[Database],
    make_plan: MakePlan,
    books: Books,
    as_owner: Connection,
) -> None:
    """The run is held between its check of the freezes and its start: the freeze is stored after the start."""
    plan = replace(make_plan(playbook="deploy"), steps=(LockService(Service.API, "raced"),))
    approvals = make_approval_service(**LISTED)
    earlier = await approvals.file(plan, request(OLIVIA))
    run = await approvals.file(plan, request(OLIVIA))
    async with databases[0].transaction() as holding:
        holder = holding.info.backend_pid
        await holding.execute("INSERT INTO chatops.run_services VALUES (%s, %s)", [Service.API.value, earlier.id])
        async with replicas(databases, plan):
            await approvals.decide(run.id, ANN, approve=True)
            async with asyncio.timeout(60):
                while await (await as_owner.execute(WAITS_FOR_SESSION, [holder])).fetchone() is None:
                    await asyncio.sleep(0.01)
            storing = asyncio.create_task(freeze(databases[1]))
            async with asyncio.timeout(60):
                while not storing.done() and await (await as_owner.execute(WAITS_FOR_ADVISORY)).fetchone() is None:
                    await asyncio.sleep(0.01)
            await holding.rollback()
            async with asyncio.timeout(60):
                while not (ended := await books.run(run.id)).state.is_final:
                    await asyncio.sleep(0.01)

    assert ended.started_at is not None
    assert ended.started_at < (await storing).created_at


async def test_exception_needs_one_approver_more_and_no_self_approval_and_is_in_the_audit_log(
    make_approval_service: MakeApprovalService, databases: Sequence[Database], make_plan: MakePlan, books: Books
) -> None:
    first, second = await freeze(databases[0]), await freeze(databases[0], service=Service.INGEST)
    made = replace(make_plan(playbook="deploy"), steps=(LockService(Service.API, "raced"),))
    plan = replace(made, parameters={**made.parameters, "exception": "the fix", "freezes": str(first.id)})
    approvals = make_approval_service(**LISTED)
    async with replicas(databases, plan):
        run = await approvals.file(plan, request(OLIVIA))
        assert run.approvals_needed == 2
        await approvals.decide(run.id, ANN, approve=True)
        assert (await books.run(run.id)).state is RunState.AWAITING_APPROVAL
        await approvals.decide(run.id, BEN, approve=True)
        async with asyncio.timeout(60):
            while not (ended := await books.run(run.id)).state.is_final:
                await asyncio.sleep(0.01)
        assert ended.state is RunState.SUCCEEDED, ended.outcome

        # An exception does not cover a freeze that the approvers did not see.
        other = await approvals.file(plan, request(OLIVIA))
        third = await freeze(databases[0])
        await approvals.decide(other.id, ANN, approve=True)
        await approvals.decide(other.id, BEN, approve=True)
        async with asyncio.timeout(60):
            while not (ended := await books.run(other.id)).state.is_final:
                await asyncio.sleep(0.01)
        assert ended.state is RunState.VOIDED

    assert {first.id, second.id, third.id} == {one.id for one in await list_freezes(books.conn)}
    cur = await books.conn.execute(
        "SELECT details FROM chatops.audit WHERE run_id = %s AND event = 'run.started'", [run.id]
    )
    [(details,)] = await cur.fetchall()
    assert (details["freezes_passed"], details["exception"]) == ([first.id], "the fix")


@pytest.fixture
async def fence(databases: Sequence[Database]) -> Fence:
    async with databases[0].transaction() as conn:
        epoch = await take_lease(conn, name=LEADER, owner="leader", duration=timedelta(minutes=5))
    assert epoch is not None
    return Fence("leader", epoch)


POSTED = "SELECT key, text FROM chatops.outbox WHERE key LIKE 'freeze:%' ORDER BY key"


async def test_owner_is_reminded_once_before_the_end_and_the_message_says_that_it_is_over(
    databases: Sequence[Database], fence: Fence, books: Books, as_owner: Connection
) -> None:
    now = await read_clock(books.conn)
    made = await freeze(databases[0], when=Written(ends=now + timedelta(hours=1)))
    notices = FreezeNotices(databases[0], channel=model.INCIDENTS_ID, wake_ups=WakeUps())

    async def posted() -> dict[str, str]:
        await notices.tick(fence)
        await notices.tick(fence)
        return dict(await (await books.conn.execute(POSTED)).fetchall())

    assert list(await posted()) == [f"freeze:{made.id}"]
    move = "UPDATE chatops.freezes SET starts_at = %s, ends_at = %s"
    await as_owner.execute(move, (now - timedelta(hours=2), now + timedelta(minutes=14)))
    [own, (key, text)] = (await posted()).items()
    assert key.startswith(f"freeze:{made.id}:remind:")
    assert f"<@{OLIVIA.user_id}> your freeze of *api* ends" in text
    assert "is frozen" in own[1]
    await as_owner.execute(move, (now - timedelta(hours=2), now - timedelta(seconds=1)))
    assert "is over" in (await posted())[f"freeze:{made.id}"]
    assert await list_freezes(books.conn) == []


async def test_window_that_comes_later_is_announced_when_it_begins_and_when_it_ends(
    databases: Sequence[Database], fence: Fence, books: Books, as_owner: Connection
) -> None:
    now = await read_clock(books.conn)
    made = await freeze(databases[0], when=Written(now + timedelta(hours=1), now + timedelta(hours=9)))
    notices = FreezeNotices(databases[0], channel=model.INCIDENTS_ID, wake_ups=WakeUps())
    began = now + timedelta(seconds=1)
    await as_owner.execute(
        "UPDATE chatops.freezes SET created_at = created_at - interval '1 hour', starts_at = %s", [began]
    )
    await as_owner.execute("SELECT pg_sleep(1.1)")

    await notices.tick(fence)
    await notices.tick(fence)

    posted = dict(await (await books.conn.execute(POSTED)).fetchall())
    assert list(posted) == [f"freeze:{made.id}", f"freeze:{made.id}:{int(began.timestamp())}"]
    assert "will be frozen" in posted[f"freeze:{made.id}"]
    assert "is frozen now" in posted[f"freeze:{made.id}:{int(began.timestamp())}"]
    await lift(databases[0], (await list_freezes(books.conn))[0])
    posted = dict(await (await books.conn.execute(POSTED)).fetchall())
    assert all("was lifted by" in text for text in posted.values())
