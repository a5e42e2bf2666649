"""One person's requests page the approvers for the first few only; one message lists the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.approvals.access import Refused
from bot.approvals.approver_pages import PAGED_AT_ONCE, ApproverPaging
from bot.approvals.service import FILED_AT_MOST, ApprovalService
from bot.types import Actor
from bot.views.run import run_message
from bot.views.runs import filed_answer
from playbooks.model import Risk
from services.clients.postgres import incident_alerts, incidents
from services.clients.postgres.approvals import read_lone_start
from services.clients.postgres.pool import Connection
from services.domain.errors import OperatorError
from services.domain.runs import RunState
from services.sandbox.slack import model
from tests.integration.bot.approvals.conftest import ANN, BEN, OLIVIA, Books, MakeApprovalService, MakePlan, request
from tests.integration.bot.approvals.test_self_approval import LISTED, PAGED, SHORT, opened_by

TIMES = 48
PAGES = "SELECT channel FROM chatops.outbox WHERE key LIKE 'run:%:call:%'"
TOGETHER = "SELECT channel, text FROM chatops.outbox WHERE key LIKE 'run:%:more%'"
OUTSIDE = "SELECT target FROM chatops.notifications"

Rows = Callable[[str], Awaitable[list[tuple[str, ...]]]]


@pytest.fixture
def rows(as_bot: Connection) -> Rows:
    async def read(query: str) -> list[tuple[str, ...]]:
        return await (await as_bot.execute(query)).fetchall()

    return read


@pytest.fixture
async def incident(as_bot: Connection) -> int:
    """Opened by Ann, who sends the flood, so it is no reason for more pages."""
    return await incidents.create_incident(as_bot, opened_by(ANN))


@pytest.fixture
def service(make_approval_service: MakeApprovalService) -> ApprovalService:
    return make_approval_service(**LISTED, approver_paging=ApproverPaging(SHORT, timedelta(), PAGED))


async def flood(service: ApprovalService, make_plan: MakePlan, times: int, by: Actor = ANN) -> list[int]:
    return [(await service.file(make_plan(), request(by))).id for _ in range(times)]


async def test_a_flood_of_requests_pages_each_approver_a_few_times(
    service: ApprovalService, make_plan: MakePlan, incident: int, rows: Rows
) -> None:
    assert incident

    filed = await flood(service, make_plan, TIMES)

    assert await rows(PAGES) == [(BEN.user_id,)] * PAGED_AT_ONCE
    assert await rows(OUTSIDE) == [("ben",)] * PAGED_AT_ONCE
    together = {row[0]: row[1] for row in await rows(TOGETHER)}
    assert together.keys() == {BEN.user_id, model.INCIDENTS_ID}
    text = together[BEN.user_id]
    assert f"{TIMES - PAGED_AT_ONCE} more requests" in text
    assert f"run {filed[-1]}" in text


async def test_requests_of_one_instant_page_as_few_times(
    service: ApprovalService, make_approval_service: MakeApprovalService, make_plan: MakePlan, incident: int, rows: Rows
) -> None:
    assert incident
    other = make_approval_service(**LISTED, approver_paging=service.approver_paging)

    await asyncio.gather(*(flood(one, make_plan, 4) for one in (service, other, service, other)))

    assert len(await rows(PAGES)) == PAGED_AT_ONCE


async def test_what_is_cancelled_and_requested_again_pages_as_few_times(
    service: ApprovalService, make_plan: MakePlan, incident: int, rows: Rows
) -> None:
    assert incident

    for _ in range(PAGED_AT_ONCE + 2):
        [run_id] = await flood(service, make_plan, 1)
        await service.cancel(run_id, ANN)

    assert len(await rows(PAGES)) == PAGED_AT_ONCE


async def test_an_answered_request_makes_room_for_the_next_page(
    service: ApprovalService, make_plan: MakePlan, incident: int, rows: Rows
) -> None:
    assert incident
    first, *_ = await flood(service, make_plan, PAGED_AT_ONCE)

    await service.decide(first, BEN, approve=False, reason="not now")
    await flood(service, make_plan, 2)

    assert len(await rows(PAGES)) == PAGED_AT_ONCE + 1


async def test_another_persons_request_pages_at_once(
    service: ApprovalService, make_plan: MakePlan, incident: int, rows: Rows
) -> None:
    assert incident
    await flood(service, make_plan, TIMES)

    [run_id] = await flood(service, make_plan, 1, by=OLIVIA)

    paged = await rows(f"SELECT channel FROM chatops.outbox WHERE key LIKE 'run:{run_id}:call:%'")  # noqa: S608 - a number
    assert sorted(paged) == [(ANN.user_id,), (BEN.user_id,)]


async def test_requests_from_terminals_page_at_once_because_they_are_not_one_persons(
    service: ApprovalService, make_plan: MakePlan, incident: int, rows: Rows
) -> None:
    assert incident

    for _ in range(PAGED_AT_ONCE + 1):
        await service.file(make_plan(), request(None))

    assert len(await rows(PAGES)) == 2 * (PAGED_AT_ONCE + 1)


async def test_an_incident_that_another_person_opens_pages_at_once(
    service: ApprovalService, make_plan: MakePlan, incident: int, as_bot: Connection, rows: Rows
) -> None:
    assert incident
    await flood(service, make_plan, TIMES)

    await incidents.create_incident(as_bot, opened_by(BEN))
    [run_id] = await flood(service, make_plan, 1)

    assert await rows(f"SELECT channel FROM chatops.outbox WHERE key LIKE 'run:{run_id}:call:%'") == [(BEN.user_id,)]  # noqa: S608 - a number


async def test_an_alert_that_joins_an_incident_pages_at_once(
    service: ApprovalService, make_plan: MakePlan, incident: int, as_bot: Connection, rows: Rows
) -> None:
    """An incident that the requester opened can be joined by later alerts."""
    await flood(service, make_plan, TIMES)

    await join_alert(as_bot, incident, "drill.heartbeats")
    await flood(service, make_plan, 1)
    assert len(await rows(PAGES)) == PAGED_AT_ONCE
    await join_alert(as_bot, incident, "heartbeats.ingest")
    [run_id] = await flood(service, make_plan, 1)

    assert await rows(f"SELECT channel FROM chatops.outbox WHERE key LIKE 'run:{run_id}:call:%'") == [(BEN.user_id,)]  # noqa: S608 - a number


async def join_alert(conn: Connection, incident_id: int, fingerprint: str) -> None:
    row = await (
        await conn.execute(
            "INSERT INTO chatops.alerts (fingerprint, state, since, fired_at, summary)"
            " VALUES (%s, 'firing', now(), now(), 'No ingest') RETURNING id",
            [fingerprint],
        )
    ).fetchone()
    assert row is not None
    assert await incident_alerts.join_alert(conn, alert_id=row[0], incident_id=incident_id, line="No ingest")


async def test_requests_without_an_incident_mention_the_approvers_a_few_times(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books, rows: Rows
) -> None:
    """Each mention in the channel makes a phone ring too."""
    service = make_approval_service(**LISTED, make_message=partial(run_message, approvers=[BEN.user_id]))
    filed = await flood(service, make_plan, PAGED_AT_ONCE + 2)

    blocks = [str(await rows(f"SELECT blocks FROM chatops.outbox WHERE key = 'run:{one}'")) for one in filed]  # noqa: S608 - a number
    assert [f"<@{BEN.user_id}>" in shown for shown in blocks] == [True] * PAGED_AT_ONCE + [False] * 2
    [(channel, text)] = await rows(TOGETHER)
    assert channel == (await books.run(filed[0])).channel
    assert "2 more requests" in text
    assert f"<@{BEN.user_id}>" in text


async def test_a_request_that_paged_no_one_can_not_be_self_approved(
    service: ApprovalService, make_plan: MakePlan, as_bot: Connection, books: Books
) -> None:
    """Otherwise a few requests filed before would hide it."""
    await incidents.create_incident(as_bot, opened_by(BEN))
    await flood(service, make_plan, PAGED_AT_ONCE)

    filed = await service.request(make_plan(), request(ANN))
    await asyncio.sleep(0.01)
    verdict = await service.self_approve(filed.run.id, ANN, "no one answers")

    assert isinstance(verdict, Refused)
    assert await read_lone_start(as_bot, filed.run.id) is None
    assert (await books.run(filed.run.id)).state is RunState.AWAITING_APPROVAL
    assert "No approver was" in filed_answer(filed.run, filed.paged).text


async def test_very_many_requests_of_one_person_are_refused_but_no_emergency_stop_and_no_one_elses(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    """Low-risk requests page no one, but 48 messages held up the channel for 48 s and filled a timeline."""
    service, low = make_approval_service(most_requests=FILED_AT_MOST), make_plan(Risk.LOW, playbook="restart")
    filed, refused = 0, []
    for _ in range(TIMES):
        try:
            await service.file(low, request(OLIVIA))
            filed += 1
        except OperatorError as error:
            refused.append(error)

    stop = await service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OLIVIA))
    other = await service.file(low, request(ANN))

    assert (filed, len(refused)) == (FILED_AT_MOST, TIMES - FILED_AT_MOST)
    assert f"{FILED_AT_MOST} requests within" in refused[0].why
    assert (await books.events()).count("run.file.refused") == 1  # one row for the whole flood
    assert stop.state is RunState.APPROVED
    assert other.state is RunState.PLANNED


async def test_the_last_request_that_a_person_may_file_is_found_by_its_repeated_delivery(
    make_approval_service: MakeApprovalService, make_plan: MakePlan
) -> None:
    service = make_approval_service(most_requests=1)
    typed = replace(request(OLIVIA), delivery="trigger:1")

    runs = [await service.file(make_plan(), typed) for _ in range(2)]

    assert runs[0].id == runs[1].id


async def test_an_emergency_stop_is_no_part_of_it(
    service: ApprovalService, make_plan: MakePlan, incident: int, books: Books
) -> None:
    assert incident
    await flood(service, make_plan, TIMES)

    run = await service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(ANN))

    assert (await books.run(run.id)).state is RunState.APPROVED
    assert run.pages_approvers
