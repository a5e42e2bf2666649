"""A run without approval waits for another person's review, and approvers are reminded of it."""

from __future__ import annotations

import psycopg
import pytest

from bot.approvals.access import Refused
from bot.approvals.decisions import Decided
from bot.approvals.reminders import Reminders
from bot.approvals.service import ApprovalService
from bot.leader import Fence, LostLeadershipError
from bot.runs.message import RunMessageWriter
from playbooks.model import Risk
from services.clients.postgres.approvals import list_open_reviews
from services.clients.postgres.freezes import lock_service, unlock_service
from services.clients.postgres.pool import Connection, Database
from services.domain.people import OUTSIDE, Person
from services.domain.runs import Run
from services.domain.services import Service
from services.sandbox.slack import model
from tests.integration.bot.approvals.conftest import ANN, BEN, OLIVIA, Books, MakePlan, request, say
from tests.integration.bot.approvals.test_reminders import database as database
from tests.integration.bot.approvals.test_reminders import fence as fence

# She is notified at once how her run ended.
ENDED = f"<@{OLIVIA.user_id}>: cancelled before it started · *stop-workers api* (run 1)"
LATER = "UPDATE {} SET remind_at = clock_timestamp() - interval '1 second'"


@pytest.fixture
async def stopped(approval_service: ApprovalService, make_plan: MakePlan) -> Run:
    """A break-glass run of Olivia's that has ended."""
    run = await approval_service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OLIVIA))
    await approval_service.cancel(run.id, ANN)
    return run


@pytest.fixture
def reminders(database: Database) -> Reminders:
    return Reminders(database, RunMessageWriter(say), approvers=lambda _run: [model.APPROVERS.id])


async def notes(conn: Connection) -> list[str]:
    """Return the texts of all threads, in order."""
    query = "SELECT text FROM chatops.outbox WHERE thread_key IS NOT NULL ORDER BY created_at"
    return [text for (text,) in await (await conn.execute(query)).fetchall()]


async def test_another_approver_closes_it_and_everyone_reads_what_they_found(
    approval_service: ApprovalService, stopped: Run, books: Books, as_bot: Connection
) -> None:
    (review,) = await list_open_reviews(as_bot)
    assert (review.run_id, review.acted_by) == (stopped.id, Person(OLIVIA.user_id, OLIVIA.team_id))

    outcome = await approval_service.review(stopped.id, ANN, " right; mended in e4f5a6b ")

    assert isinstance(outcome, Decided)
    assert await list_open_reviews(as_bot) == []
    assert (await books.events(stopped.id))[-1] == "run.reviewed"


async def test_second_review_is_refused(approval_service: ApprovalService, stopped: Run, books: Books) -> None:
    assert isinstance(await approval_service.review(stopped.id, ANN, "right"), Decided)

    late = await approval_service.review(stopped.id, BEN, "wrong")

    assert isinstance(late, Refused)
    assert f"<@{ANN.user_id}> has already" in late.sentence
    assert (await books.events(stopped.id))[-1] == "run.review.refused"


async def test_an_approved_run_needs_no_review(
    approval_service: ApprovalService, make_plan: MakePlan, as_bot: Connection
) -> None:
    await approval_service.file(make_plan(), request(OLIVIA))

    assert await list_open_reviews(as_bot) == []


@pytest.mark.parametrize(
    ("column", "value"), [("reviewed_by_user", OLIVIA.user_id), ("note", ""), ("reviewed_by_user", None)]
)
async def test_database_refuses_a_review_by_the_actor_or_without_a_note(
    stopped: Run, as_bot: Connection, column: str, value: str | None
) -> None:
    full: dict[str, object] = {"reviewed_by_user": ANN.user_id, "reviewed_by_team": ANN.team_id, "note": "right"} | {
        column: value
    }
    full |= {"run": stopped.id}
    close = (
        "UPDATE chatops.reviews SET reviewed_by_user = %(reviewed_by_user)s, reviewed_by_team = %(reviewed_by_team)s,"
        " note = %(note)s, reviewed_at = now() WHERE run_id = %(run)s"
    )

    with pytest.raises(psycopg.errors.CheckViolation):
        await as_bot.execute(close, full)


async def test_a_closed_review_stays_as_it_is(
    approval_service: ApprovalService, stopped: Run, as_bot: Connection
) -> None:
    await approval_service.review(stopped.id, ANN, "right")

    with pytest.raises(psycopg.errors.CheckViolation, match="is closed"):
        await as_bot.execute("UPDATE chatops.reviews SET note = 'wrong'")


async def test_people_are_reminded_after_a_day_until_it_is_closed(
    approval_service: ApprovalService, stopped: Run, reminders: Reminders, fence: Fence, as_bot: Connection
) -> None:
    await reminders.tick(fence)
    early = await notes(as_bot)
    for _ in range(2):
        await as_bot.execute(LATER.format("chatops.reviews"))
        await reminders.tick(fence)
        await reminders.tick(fence)
    await approval_service.review(stopped.id, ANN, "right")

    await reminders.tick(fence)

    what = f"Run {stopped.id} is not reviewed yet: {stopped.title}"
    words = f"<!subteam^{model.APPROVERS.id}> {what}. Use the button in the message above."
    assert (early, await notes(as_bot)) == ([ENDED], [ENDED, words, words])


async def test_approvers_are_reminded_of_what_a_machine_locked(
    stopped: Run, reminders: Reminders, fence: Fence, as_bot: Connection, as_owner: Connection
) -> None:
    """A machine does not read messages."""
    by_machine = "UPDATE chatops.runs SET requested_by_user = 'machine:ci', requested_by_team = %s"
    await as_owner.execute(by_machine, [OUTSIDE])
    await lock_service(as_bot, service=Service.API, owner="machine:ci", reason="bad", run_id=stopped.id)
    await as_bot.execute(LATER.format("chatops.service_locks"))

    await reminders.tick(fence)

    assert (await notes(as_bot))[-1].startswith(f"<!subteam^{model.APPROVERS.id}> api is still locked")


async def test_lock_owner_is_reminded_until_the_service_is_unlocked(
    stopped: Run, reminders: Reminders, fence: Fence, as_bot: Connection
) -> None:
    await lock_service(as_bot, service=Service.API, owner=OLIVIA.user_id, reason="bad", run_id=stopped.id)
    await reminders.tick(fence)
    early = await notes(as_bot)
    await as_bot.execute(LATER.format("chatops.service_locks"))
    await reminders.tick(fence)
    await unlock_service(as_bot, service=Service.API)
    await reminders.tick(fence)

    reported = await notes(as_bot)

    words = f"<@{OLIVIA.user_id}> api is still locked against deploys. To lift it: unlock api &lt;reason&gt;"
    assert (early, reported) == ([ENDED], [ENDED, words])


async def test_only_the_leader_reminds(reminders: Reminders) -> None:
    with pytest.raises(LostLeadershipError):
        await reminders.tick(Fence("somebody else", 1))
