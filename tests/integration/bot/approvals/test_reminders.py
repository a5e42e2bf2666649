"""Requests that expire undecided: ended once, announced, and never approved at the last moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.alerts.planned_silences import PlannedSilences
from bot.approvals.decisions import Decided
from bot.approvals.reminders import Expiry, ScheduledRuns
from bot.freezes.notices import FreezeNotices
from bot.leader import Fence, LostLeadershipError
from bot.runs.message import RunMessageWriter
from bot.wake_ups import WakeUps
from services.clients.postgres.leases import LEADER, take_lease
from services.clients.postgres.notifications import end_notification, list_notifications, store_notification
from services.clients.postgres.pool import Connection, Database
from services.domain.channels import Channel
from services.domain.errors import OperatorError
from services.domain.notifications import NotificationState, PageEvent
from services.domain.runs import Run, RunState
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import (
    ANN,
    OLIVIA,
    PAST_EXPIRY_S,
    Books,
    MakeApprovalService,
    MakePlan,
    request,
    say,
)
from tests.scheduling import leading

ROUNDS = 8


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="leader", timeout_s=60.0)
    yield database
    await database.close()


@pytest.fixture
async def fence(database: Database) -> Fence:
    async with database.transaction() as conn:
        epoch = await take_lease(conn, name=LEADER, owner="leader", duration=timedelta(minutes=5))
    assert epoch is not None
    return Fence("leader", epoch)


@pytest.fixture
def expiry(database: Database) -> Expiry:
    return Expiry(database, RunMessageWriter(say), every_s=0.02)


async def test_request_that_no_one_decided_on_ends_and_reports_so(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, expiry: Expiry, fence: Fence, books: Books
) -> None:
    old = await make_approval_service(expires_after_s=1).file(make_plan(), request(OLIVIA))
    young = await make_approval_service().file(make_plan(), request(OLIVIA))
    await asyncio.sleep(PAST_EXPIRY_S)

    await expiry.tick(fence)
    await expiry.tick(fence)

    assert (await books.run(old.id)).state is RunState.EXPIRED
    assert (await books.run(young.id)).state is RunState.AWAITING_APPROVAL
    assert await books.events(old.id) == ["run.filed", "run.expired"]
    assert "EXPIRED" in await books.message(old.id)


async def test_a_ringing_pager_is_resolved_when_the_request_expires(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, expiry: Expiry, fence: Fence, as_bot: Connection
) -> None:
    run = await make_approval_service(expires_after_s=1).file(make_plan(), request(OLIVIA))
    key = f"{run.message_key}:call:{ANN.user_id}:webhook"
    await store_notification(
        as_bot, key=key, means=Channel.WEBHOOK, target="ann", subject="asked", text="asked", thread_key=run.message_key
    )
    await end_notification(as_bot, key=key, state=NotificationState.SENT)
    await asyncio.sleep(PAST_EXPIRY_S)

    await expiry.tick(fence)

    _, over = await list_notifications(as_bot, thread_key=run.message_key)
    assert (over.event, over.page_key) == (PageEvent.RESOLVED, key)


async def test_only_the_leader_ends_requests(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, expiry: Expiry
) -> None:
    await make_approval_service(expires_after_s=1).file(make_plan(), request(OLIVIA))
    await asyncio.sleep(PAST_EXPIRY_S)

    with pytest.raises(LostLeadershipError):
        await expiry.tick(Fence("somebody else", 1))


async def test_a_tick_without_anything_due_wakes_no_sender_and_needs_no_lease(database: Database) -> None:
    """Each wake-up causes two queries of the outbox, and each lease one: an idle bot must cause none."""
    woken: list[str] = []
    wake_ups, no_lease = WakeUps(), Fence("nobody", 1)
    message_writer = RunMessageWriter(say, wake_ups)
    with wake_ups.outbox.listen(lambda: woken.append("outbox")):
        for task in (
            Expiry(database, message_writer),
            ScheduledRuns(database, message_writer, approvers=lambda _run: ()),
            FreezeNotices(database, channel="C0", wake_ups=wake_ups),
            PlannedSilences(database, wake_ups, channel="C0"),
        ):
            await task.tick(no_lease)

    assert woken == []


async def test_expiry_is_woken_by_a_request_and_waits_until_the_first_expires(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, database: Database, fence: Fence, books: Books
) -> None:
    wake_ups = WakeUps()
    expiry = Expiry(database, RunMessageWriter(say, wake_ups), every_s=3600)
    async with leading(fence, expiry), asyncio.timeout(60):
        run = await make_approval_service(expires_after_s=1).file(make_plan(), request(OLIVIA))
        wake_ups.runs.set()  # as the NOTIFY of Postgres does

        while (await books.run(run.id)).state is not RunState.EXPIRED:
            await asyncio.sleep(0.02)


async def test_approval_at_the_last_moment_counts_or_does_not(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, expiry: Expiry, fence: Fence, books: Books
) -> None:
    """Many clicks around the moment of expiry: the run is approved with a decision, or expired without one."""
    approval_service = make_approval_service(approvers=(ANN.user_id,), operators=(OLIVIA.user_id,), expires_after_s=1)

    async def click(run: Run, after_s: float) -> bool:
        await asyncio.sleep(after_s)
        try:
            return isinstance(await approval_service.decide(run.id, ANN, approve=True), Decided)
        except OperatorError:
            return False

    filed = [await approval_service.file(make_plan(), request(OLIVIA)) for _ in range(ROUNDS)]
    async with leading(fence, expiry), asyncio.timeout(60):
        won = await asyncio.gather(*(click(run, 0.9 + 0.02 * n) for n, run in enumerate(filed)))
        while any([(await books.run(run.id)).state is RunState.AWAITING_APPROVAL for run in filed]):
            await asyncio.sleep(0.02)

    for run, approved in zip(filed, won, strict=True):
        state = (await books.run(run.id)).state
        assert state is (RunState.APPROVED if approved else RunState.EXPIRED)
        assert ("run.approved" in await books.events(run.id)) is approved
        assert ("run.expired" in await books.events(run.id)) is not approved
