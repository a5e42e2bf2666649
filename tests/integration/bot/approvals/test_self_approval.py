"""No approver responds, so the requester self-approves: the pages, the countdown, the veto, and the later review."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from bot.approvals.access import Refused
from bot.approvals.approver_pages import ApproverPaging
from bot.approvals.decisions import Decided
from bot.approvals.self_approval import SelfApprovals
from bot.approvals.service import ApprovalService
from bot.config.policy import Policy
from bot.leader import Fence, LostLeadershipError
from bot.runs.message import RunMessageWriter
from bot.types import Actor
from bot.views.runs import filed_answer
from bot.wake_ups import WakeUps
from playbooks.later import write_start
from playbooks.model import Risk
from services.clients.postgres import incidents, timeline
from services.clients.postgres.approvals import list_open_reviews, read_lone_start
from services.clients.postgres.notifications import end_notification, list_notifications
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.clients.postgres.runs import CHANNEL
from services.domain.incidents import IncidentSeverity, NewIncident
from services.domain.notifications import NotificationState, PageEvent
from services.domain.oncall import OnCallPerson, Schedule
from services.domain.people import Person
from services.domain.runs import Run, RunState
from services.domain.services import Service
from services.sandbox.slack.workspace import Workspace
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
from tests.integration.bot.approvals.test_reminders import database as database
from tests.integration.bot.approvals.test_reminders import fence as fence

LISTED = {"operators": (OLIVIA.user_id, ANN.user_id), "approvers": (ANN.user_id, BEN.user_id)}
PAGED = Schedule({"ben": OnCallPerson("ben", BEN.user_id, webhook="ben")}, {}, ())
POLL_S = 3600.0
LONG, SHORT = timedelta(minutes=3), timedelta(milliseconds=1)

MakeAlone = Callable[..., tuple[ApprovalService, SelfApprovals]]


@pytest.fixture
async def incident(as_bot: Connection) -> int:
    """Opened by Ben; Ann is the requester."""
    return await incidents.create_incident(as_bot, opened_by(BEN))


def opened_by(actor: Actor, severity: IncidentSeverity = IncidentSeverity.SEV1) -> NewIncident:
    person = Person(actor.user_id, actor.team_id)
    return NewIncident("dev", severity, "api is down", (Service.API.value,), person, {})


@pytest.fixture
def make_alone(make_approval_service: MakeApprovalService, database: Database) -> MakeAlone:
    """`make_alone(silence=…, countdown=…)`: an approval service, and the leader's periodic task of self-approvals."""

    def make(*, silence: timedelta = SHORT, countdown: timedelta = SHORT) -> tuple[ApprovalService, SelfApprovals]:
        approval_service = make_approval_service(**LISTED, approver_paging=ApproverPaging(silence, countdown, PAGED))
        assert isinstance(approval_service.policy, Policy)
        return approval_service, SelfApprovals(
            database,
            lambda: approval_service.policy,
            approval_service.groups,
            RunMessageWriter(say, WakeUps(poll_s=POLL_S)),
        )

    return make


@pytest.fixture
def keys(as_bot: Connection) -> Callable[[str], Awaitable[list[tuple[str, ...]]]]:
    """`await keys(query)`: the rows of a query, as the bot."""

    async def read(query: str) -> list[tuple[str, ...]]:
        return await (await as_bot.execute(query)).fetchall()

    return read


Keys = Callable[[str], Awaitable[list[tuple[str, ...]]]]
CALLED = "SELECT channel FROM chatops.outbox WHERE key LIKE 'run:%:call:%' ORDER BY channel"


async def file(approval_service: ApprovalService, make_plan: MakePlan) -> Run:
    """File a request by Ann and wait until the approvers' time is over, where it is short."""
    run = await approval_service.file(make_plan(), request(ANN))
    await asyncio.sleep(0.01)
    return run


async def test_the_other_approvers_are_messaged_and_paged(
    make_alone: MakeAlone,
    make_plan: MakePlan,
    incident: int,
    as_bot: Connection,
    keys: Callable[[str], Awaitable[list[tuple[str, ...]]]],
) -> None:
    approval_service, _ = make_alone(silence=LONG)

    run = await file(approval_service, make_plan)

    self_approval = await read_lone_start(as_bot, run.id)
    assert self_approval is not None
    assert (self_approval.incident_id, self_approval.starts_at) == (incident, None)
    called = "SELECT channel FROM chatops.outbox WHERE key LIKE 'run:%:call:%'"
    assert await keys(called) == [(BEN.user_id,)]
    assert await keys("SELECT means, target FROM chatops.notifications") == [("webhook", "ben")]


@pytest.mark.parametrize("approve", [True, False])
async def test_a_ringing_pager_is_resolved_once_a_person_has_decided(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, as_bot: Connection, approve: bool
) -> None:
    assert incident
    approval_service, _ = make_alone(silence=LONG)
    run = await file(approval_service, make_plan)
    [page] = await list_notifications(as_bot, thread_key=run.message_key)
    await end_notification(as_bot, key=page.key, state=NotificationState.SENT)

    await approval_service.decide(run.id, BEN, approve=approve, reason="seen")

    _, over = await list_notifications(as_bot, thread_key=run.message_key)
    assert (over.event, over.target, over.page_key) == (PageEvent.RESOLVED, "ben", page.key)
    assert "no longer needs" in over.subject


async def test_an_approver_not_yet_paged_is_not_paged_after_the_decision(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, as_bot: Connection
) -> None:
    assert incident
    approval_service, _ = make_alone(silence=LONG)
    run = await file(approval_service, make_plan)

    await approval_service.decide(run.id, BEN, approve=True)

    [page] = await list_notifications(as_bot, thread_key=run.message_key)
    assert page.state is NotificationState.CANCELLED


@pytest.mark.parametrize("who", [OLIVIA, None])
async def test_the_approvers_are_paged_for_a_requester_who_may_not_self_approve(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, as_bot: Connection, keys: Keys, who: Actor | None
) -> None:
    assert incident
    approval_service, _ = make_alone()

    filed = await approval_service.request(make_plan(), request(who))

    assert filed.paged is not None
    assert await keys(CALLED) == [(ANN.user_id,), (BEN.user_id,)]
    assert await read_lone_start(as_bot, filed.run.id) is None
    reported = str(filed_answer(filed.run, filed.paged).blocks)
    assert f"<@{ANN.user_id}> and <@{BEN.user_id}> were paged" in reported
    assert "can't self-approve it" in reported
    [page] = await list_notifications(as_bot, thread_key=filed.run.message_key)
    assert "It waits for you" in page.text


async def test_no_approver_is_paged_for_a_change_that_needs_no_approval(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, keys: Keys
) -> None:
    assert incident
    approval_service, _ = make_alone()

    filed = await approval_service.request(make_plan(Risk.LOW, playbook="restart"), request(OLIVIA))

    assert (filed.paged, await keys(CALLED)) == (None, [])


@pytest.mark.parametrize(("approve", "word"), [(True, "Approved"), (False, "Denied")])
async def test_the_direct_messages_are_closed_once_a_person_has_decided(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, keys: Keys, approve: bool, word: str
) -> None:
    assert incident
    approval_service, _ = make_alone()
    run = await approval_service.file(make_plan(), request(OLIVIA))

    await approval_service.decide(run.id, BEN, approve=approve, reason="seen")

    texts = [text for (text,) in await keys("SELECT text FROM chatops.outbox WHERE key LIKE 'run:%:call:%'")]
    assert len(texts) == 2
    assert all(f"*{word}* by <@{BEN.user_id}>" in text for text in texts)


async def test_without_an_incident_no_one_may(make_alone: MakeAlone, make_plan: MakePlan) -> None:
    approval_service, _ = make_alone()
    run = await file(approval_service, make_plan)

    assert isinstance(await approval_service.self_approve(run.id, ANN, "down"), Refused)


async def test_self_approval_starts_after_the_countdown_and_opens_a_review(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, fence: Fence, books: Books, as_bot: Connection
) -> None:
    assert incident
    approval_service, leading = make_alone()
    run = await file(approval_service, make_plan)
    await leading.tick(fence)
    assert isinstance(await approval_service.self_approve(run.id, ANN, "customers wait"), Decided)
    await asyncio.sleep(0.01)

    await leading.tick(fence)
    await leading.tick(fence)

    assert (await books.run(run.id)).state is RunState.APPROVED
    (review,) = await list_open_reviews(as_bot)
    assert (review.run_id, review.acted_by) == (run.id, Person(ANN.user_id, ANN.team_id))
    assert await books.events(run.id) == ["run.filed", "run.alone", "run.started_alone"]


async def test_run_that_starts_later_waits_for_another_approver(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, books: Books, as_bot: Connection
) -> None:
    assert incident
    approval_service, _ = make_alone()
    plan = make_plan(playbook="scale")
    at = write_start(await read_clock(as_bot) + timedelta(days=5))

    run = await approval_service.file(replace(plan, parameters={**plan.parameters, "at": at}), request(ANN))

    assert await read_lone_start(as_bot, run.id) is None
    assert isinstance(await approval_service.self_approve(run.id, ANN, "customers wait"), Refused)
    assert (await books.run(run.id)).state is RunState.AWAITING_APPROVAL


async def test_a_former_releases_self_approval_of_a_later_start_is_void_at_its_time_whatever_slack_says(
    make_alone: MakeAlone,
    make_plan: MakePlan,
    incident: int,
    fence: Fence,
    books: Books,
    as_owner: Connection,
    workspace: Workspace,
) -> None:
    assert incident
    approval_service, leading = make_alone()
    run = await file(approval_service, make_plan)
    await approval_service.self_approve(run.id, ANN, "customers wait")
    await asyncio.sleep(0.01)
    await leading.tick(fence)
    await as_owner.execute("UPDATE chatops.runs SET start_at = clock_timestamp() WHERE id = %s", (run.id,))

    asked_before = len(workspace.calls)

    why = await approval_service.why_revoked(await books.run(run.id))

    assert why == "it was self-approved, and the emergency may be over"
    assert len(workspace.calls) == asked_before


async def test_self_approval_does_not_start_before_its_countdown_ends(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, fence: Fence, books: Books
) -> None:
    assert incident
    approval_service, leading = make_alone(countdown=LONG)
    run = await file(approval_service, make_plan)
    await leading.tick(fence)
    before = (await books.run(run.id)).state
    await approval_service.self_approve(run.id, ANN, "customers wait")

    await leading.tick(fence)

    assert (before, (await books.run(run.id)).state) == (RunState.AWAITING_APPROVAL, RunState.AWAITING_APPROVAL)


async def test_the_approvers_have_time_first_and_the_countdown_begins_once(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int
) -> None:
    assert incident
    patient, _ = make_alone(silence=LONG)
    early = await patient.self_approve((await file(patient, make_plan)).id, ANN, "customers wait")
    approval_service, _ = make_alone(countdown=LONG)
    run = await file(approval_service, make_plan)

    first, second = [await approval_service.self_approve(run.id, ANN, "customers wait") for _ in range(2)]

    assert isinstance(early, Refused)
    assert "still have time" in early.sentence
    assert (type(first), type(second)) == (Decided, Refused)


async def test_self_approval_task_sleeps_until_the_next_one_is_due(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, fence: Fence
) -> None:
    assert incident
    approval_service, leading = make_alone(silence=LONG)
    without = await leading.tick(fence)
    await file(approval_service, make_plan)

    wait_s = await leading.tick(fence)

    assert without == POLL_S
    assert 0 < wait_s <= LONG.total_seconds()


async def test_a_countdown_that_begins_is_announced(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, as_owner: Connection
) -> None:
    assert incident
    approval_service, _ = make_alone(countdown=LONG)
    run = await file(approval_service, make_plan)
    await as_owner.execute(f"LISTEN {CHANNEL}".encode())

    await approval_service.self_approve(run.id, ANN, "customers wait")

    heard = [notice.payload async for notice in as_owner.notifies(timeout=60, stop_after=1)]
    assert heard == [str(run.id)]


async def test_veto_cancels_a_self_approval(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, fence: Fence, books: Books, as_bot: Connection
) -> None:
    assert incident
    approval_service, leading = make_alone()
    run = await file(approval_service, make_plan)
    await approval_service.self_approve(run.id, ANN, "customers wait")

    assert isinstance(await approval_service.decide(run.id, BEN, approve=False, reason="veto"), Decided)
    await leading.tick(fence)

    assert (await books.run(run.id)).state is RunState.CANCELLED
    assert await list_open_reviews(as_bot) == []


async def test_a_veto_at_the_last_moment_counts_or_it_starts(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, fence: Fence, books: Books
) -> None:
    assert incident
    approval_service, leading = make_alone()
    for _ in range(15):
        run = await file(approval_service, make_plan)
        await approval_service.self_approve(run.id, ANN, "customers wait")
        await asyncio.sleep(0.005)

        veto, _ = await asyncio.gather(
            approval_service.decide(run.id, BEN, approve=False, reason="veto"),
            leading.tick(fence),
            return_exceptions=True,
        )

        state = (await books.run(run.id)).state
        assert state is (RunState.CANCELLED if isinstance(veto, Decided) else RunState.APPROVED)
        events = await books.events(run.id)
        assert ("run.started_alone" in events) is (state is RunState.APPROVED)


@pytest.mark.parametrize("severity", [IncidentSeverity.SEV3, IncidentSeverity.SEV1])
async def test_an_incident_that_the_requester_opened_permits_no_self_approval(
    make_alone: MakeAlone, make_plan: MakePlan, as_bot: Connection, severity: IncidentSeverity
) -> None:
    """An approver opened an incident, filed a change in it and tried to start it without a second person."""
    await incidents.create_incident(as_bot, opened_by(ANN, severity))
    approval_service, _ = make_alone()

    run = await file(approval_service, make_plan)

    assert await read_lone_start(as_bot, run.id) is None
    refused = await approval_service.self_approve(run.id, ANN, "nobody answers")
    assert isinstance(refused, Refused)


async def test_a_person_elses_acknowledgement_makes_it_an_emergency(
    make_alone: MakeAlone, make_plan: MakePlan, as_bot: Connection
) -> None:
    number = await incidents.create_incident(as_bot, opened_by(ANN))
    approval_service, _ = make_alone()
    ben = Person(BEN.user_id, BEN.team_id)
    await timeline.add_event(as_bot, incident_id=number, kind="acknowledged", text="took it on", by=ben)

    run = await file(approval_service, make_plan)

    self_approval = await read_lone_start(as_bot, run.id)
    assert self_approval is not None
    assert self_approval.incident_id == number


async def test_self_approval_ends_when_the_incident_is_no_emergency_any_more(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, as_bot: Connection
) -> None:
    approval_service, _ = make_alone()
    run = await file(approval_service, make_plan)
    await incidents.change_severity(as_bot, incident_id=incident, severity=IncidentSeverity.SEV3)

    refused = await approval_service.self_approve(run.id, ANN, "nobody answers")

    assert isinstance(refused, Refused)
    assert f"incident {incident} is SEV3" in refused.why


async def test_the_end_of_the_incident_ends_the_countdown(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, fence: Fence, books: Books, as_owner: Connection
) -> None:
    approval_service, leading = make_alone()
    run = await file(approval_service, make_plan)
    await approval_service.self_approve(run.id, ANN, "customers wait")
    await as_owner.execute(
        "UPDATE chatops.incidents SET state = 'resolved', due_at = NULL, resolved_by_user = 'U1',"
        " resolved_by_team = 'T', resolved_at = now(), cause = 'x' WHERE id = %s",
        (incident,),
    )
    await asyncio.sleep(0.01)

    await leading.tick(fence)

    self_approval = await read_lone_start(as_owner, run.id)
    assert self_approval is not None
    assert (self_approval.starts_at, (await books.run(run.id)).state) == (None, RunState.AWAITING_APPROVAL)
    assert (await books.events(run.id))[-1] == "run.alone.refused"


async def test_the_database_approves_nothing_before_the_countdown_is_over(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, as_bot: Connection
) -> None:
    assert incident
    approval_service, _ = make_alone(countdown=LONG)
    run = await file(approval_service, make_plan)
    await approval_service.self_approve(run.id, ANN, "customers wait")

    with pytest.raises(psycopg.errors.CheckViolation, match="not approved by as many"):
        await as_bot.execute("UPDATE chatops.runs SET state = 'approved' WHERE id = %s", (run.id,))


async def test_only_the_leader_starts_it(
    make_alone: MakeAlone, make_plan: MakePlan, incident: int, books: Books
) -> None:
    assert incident
    approval_service, leading = make_alone()
    run = await file(approval_service, make_plan)
    await approval_service.self_approve(run.id, ANN, "customers wait")
    await asyncio.sleep(0.01)

    with pytest.raises(LostLeadershipError):
        await leading.tick(Fence("somebody else", 1))

    assert (await books.run(run.id)).state is RunState.AWAITING_APPROVAL
