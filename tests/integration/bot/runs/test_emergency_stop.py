"""The emergency stop while the database is down: executed at once, recorded when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.approvals.service import ApprovalService
from bot.commands.request_change import file
from bot.config.behavior import PeopleSettings
from bot.config.policy_file import load_policy
from bot.runs.emergency_stop import EmergencyNotices
from bot.runs.message import RunMessageWriter
from bot.slack_directory import Groups
from bot.types import Actor, Answer, Request, Surface
from bot.views.run import run_message
from playbooks.model import Status
from services.clients.postgres import runs
from services.clients.postgres.freezes import lock_service
from services.clients.postgres.pool import Database
from services.clients.slack import SlackClient
from services.domain.errors import OutcomeUnknownError
from services.domain.runs import RunState
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from services.sandbox.slack.workspace import Workspace
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import slack as slack
from tests.integration.bot.approvals.conftest import workspace as workspace
from tests.integration.bot.runs.conftest import Bench, MakeBench
from tests.serving import no_proxy as no_proxy
from tests.wire import Line


@pytest.fixture
async def line(database_urls: DatabaseUrls) -> AsyncIterator[Line]:
    """A forwarder for the bot's connections to the database."""
    async with Line(database_urls.bot).serve() as line:
        yield line


@pytest.fixture
async def bench(make_bench: MakeBench, line: Line) -> AsyncIterator[Bench]:
    bench = await make_bench(dsn=line.dsn)
    yield bench
    await bench.stop_runners()
    await bench.database.close()


@pytest.fixture
async def approval_service(bench: Bench, slack: SlackClient) -> AsyncIterator[ApprovalService]:
    people = PeopleSettings(operators=(model.OLIVIA.id,), approvers=(model.ANN.id,))
    approval_service = ApprovalService(
        bench.database,
        load_policy(people),
        Groups(slack, (), workspace=lambda: model.TEAM.id),
        RunMessageWriter(lambda record, head: run_message(record, audit_head=head)),
        channel="dragonfly-incidents",
        late_s=0.5,
        notices=EmergencyNotices(slack, channel="dragonfly-incidents"),
    )
    yield approval_service
    await approval_service.aclose()


async def stop(bench: Bench, approval_service: ApprovalService, delivery: str = "trigger:1") -> Answer:
    actor = Actor(model.OLIVIA.id, model.TEAM.id)
    request = Request((), Surface.SLASH, actor, model.GENERAL_ID, delivery=delivery)
    return await file(
        "stop-workers", {"service": "workers", "reason": "damage"}, request, bench.world, approval_service
    )


def posted(workspace: Workspace) -> list[Message]:
    """Return the messages in the incidents channel."""
    return workspace.messages.in_channel(model.INCIDENTS_ID)


async def test_workers_stop_without_the_database_and_the_journal_follows(
    bench: Bench, approval_service: ApprovalService, line: Line, workspace: Workspace
) -> None:
    line.cut()

    answer = await stop(bench, approval_service)

    assert (answer.status, answer.private) == (Status.OK, True)
    assert "without the database" in answer.text
    assert bench.wire.mutations == ["stop", "stop"]
    (notice,) = posted(workspace)
    line.mend()
    bench.start_runner()
    run_id = await _filed(bench.database)
    run, steps = await bench.ended(run_id)
    assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
    assert bench.wire.mutations == ["stop", "stop"]
    shown = "SELECT key, ts FROM chatops.outbox WHERE ts IS NOT NULL OR thread_key IS NULL"
    assert await bench.sql(shown) == [(f"run:{run_id}", notice.ts)]


async def test_the_channel_is_notified_who_stops_what_and_why_and_of_the_outcome(
    bench: Bench, approval_service: ApprovalService, line: Line, workspace: Workspace
) -> None:
    line.cut()
    hold = bench.wire.hold("stop", "before")
    stopping = asyncio.create_task(stop(bench, approval_service))
    async with asyncio.timeout(60):
        while not posted(workspace):
            await asyncio.sleep(0.01)

    assert not stopping.done(), "it does not wait for Railway"
    (notice,) = posted(workspace)
    assert all(words in str(notice) for words in (model.OLIVIA.id, "ingest and enforcement", "damage"))
    hold.release()
    await stopping
    assert [message.ts for message in posted(workspace)] == [notice.ts]
    assert "ingest is stopping" in str(posted(workspace)[0])


async def test_a_delivery_that_comes_again_is_announced_once(
    bench: Bench, approval_service: ApprovalService, line: Line, workspace: Workspace
) -> None:
    line.cut()

    await stop(bench, approval_service)
    await stop(bench, approval_service)

    assert len(posted(workspace)) == 1


async def test_emergency_stop_answers_publicly_when_its_channel_message_fails(
    bench: Bench, approval_service: ApprovalService, line: Line, workspace: Workspace
) -> None:
    workspace.faults.plant("chat.postMessage", FaultKind.SERVER_ERROR, times=9)
    line.cut()

    answer = await stop(bench, approval_service)

    assert (answer.status, answer.private, posted(workspace)) == (Status.OK, False, [])


async def test_one_run_is_filed_though_the_answer_to_its_commit_is_lost(
    bench: Bench, approval_service: ApprovalService, line: Line, workspace: Workspace
) -> None:
    """And each worker is stopped once: a replica executes the run while its requester is still waiting."""
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    stopping = asyncio.create_task(stop(bench, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "after")
    filing.release()
    await lost.reached.wait()
    executing = bench.wire.hold("stop", "before")
    bench.start_runner()
    await executing.reached.wait()
    lost.release()

    answer = await stopping

    executing.release()
    run, _ = await bench.ended(await _filed(bench.database))
    assert "without the database" not in answer.text
    assert f"run {run.id}" in answer.text.lower()
    assert run.state is RunState.SUCCEEDED
    assert await bench.sql("SELECT count(*) FROM chatops.runs") == [(1,)]
    assert bench.wire.mutations == ["stop", "stop"]
    assert posted(workspace) == []


async def test_emergency_stop_whose_commit_never_arrived_is_filed_once_more_and_stops_each_worker_once(
    bench: Bench, approval_service: ApprovalService, line: Line
) -> None:
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    stopping = asyncio.create_task(stop(bench, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "before")
    filing.release()
    await lost.reached.wait()
    lost.release()

    answer = await stopping

    bench.start_runner()
    run, _ = await bench.ended(await _filed(bench.database))
    assert "without the database" not in answer.text
    assert (run.state, run.reason) == (RunState.SUCCEEDED, "damage")
    assert await bench.sql("SELECT count(*) FROM chatops.runs") == [(1,)]
    assert bench.wire.mutations == ["stop", "stop"]


async def test_workers_stop_at_once_and_in_one_run_if_the_database_stays_away_after_its_commit(
    bench: Bench, approval_service: ApprovalService, line: Line, workspace: Workspace
) -> None:
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    stopping = asyncio.create_task(stop(bench, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "after")
    filing.release()
    await lost.reached.wait()
    line.cut()
    lost.release()

    answer = await stopping

    assert "without the database" in answer.text
    assert bench.wire.mutations == ["stop", "stop"]
    line.mend()
    notice = await _joined(bench)
    bench.start_runner()
    await bench.ended(await _filed(bench.database))
    assert await bench.sql("SELECT count(*) FROM chatops.runs") == [(1,)]
    assert bench.wire.mutations == ["stop", "stop"]
    assert [message.ts for message in posted(workspace)] == [notice]


async def test_request_whose_commit_was_lost_is_found_instead_of_being_filed_twice(
    bench: Bench, approval_service: ApprovalService, line: Line
) -> None:
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    request = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.GENERAL_ID, delivery="trigger:1")
    asking = asyncio.create_task(file("restart", {"service": "ingest"}, request, bench.world, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "after")
    filing.release()
    await lost.reached.wait()
    lost.release()

    answer = await asking

    assert "your confirmation" in str(answer.blocks)
    assert await bench.sql("SELECT count(*) FROM chatops.runs") == [(1,)]


async def test_request_that_is_filed_once_more_keeps_its_reason(
    bench: Bench, approval_service: ApprovalService, line: Line
) -> None:
    """The first COMMIT never arrived, so it filed nothing."""
    async with bench.database.transaction() as conn:
        await lock_service(conn, service=Service.INGEST, owner=model.OLIVIA.id, reason="bad", run_id=None)
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    request = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.GENERAL_ID, delivery="trigger:1")
    asked = {"service": "ingest", "reason": "fixed in 9f8e7d6c"}
    asking = asyncio.create_task(file("unlock", asked, request, bench.world, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "before")
    filing.release()
    await lost.reached.wait()
    lost.release()
    await asking

    assert await bench.sql("SELECT reason FROM chatops.runs") == [("fixed in 9f8e7d6c",)]


async def test_request_whose_commit_was_lost_and_that_can_t_be_found_is_neither_filed_nor_refused(
    bench: Bench, approval_service: ApprovalService, line: Line
) -> None:
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    request = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.GENERAL_ID)
    asking = asyncio.create_task(file("restart", {"service": "ingest"}, request, bench.world, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "after")
    filing.release()
    await lost.reached.wait()
    lost.release()

    with pytest.raises(OutcomeUnknownError, match="not known whether your request was filed"):
        await asking


async def test_request_whose_commit_was_lost_is_not_called_unfiled_because_its_author_has_no_right_any_more(
    bench: Bench, approval_service: ApprovalService, line: Line
) -> None:
    filing = line.hold(b"INSERT INTO chatops.run_steps", "before", lose=False)
    request = Request((), Surface.SLASH, Actor(model.OLIVIA.id, model.TEAM.id), model.GENERAL_ID, delivery="trigger:1")
    asking = asyncio.create_task(file("restart", {"service": "ingest"}, request, bench.world, approval_service))
    await filing.reached.wait()
    lost = line.hold(b"COMMIT", "after")
    filing.release()
    await lost.reached.wait()
    approval_service.policy = load_policy(PeopleSettings(operators=(model.BEN.id,), approvers=(model.ANN.id,)))
    lost.release()

    with pytest.raises(OutcomeUnknownError, match="not known whether your request was filed"):
        await asking
    assert await bench.sql("SELECT count(*) FROM chatops.runs") == [(1,)]


async def _joined(bench: Bench) -> str:
    """Return the ts of the notice, once it belongs to the message of a run."""
    async with asyncio.timeout(60):
        while not (found := await bench.sql("SELECT ts FROM chatops.outbox WHERE key LIKE 'run:%:notice'")):
            await asyncio.sleep(0.1)
    return str(found[0][0])


async def _filed(database: Database) -> int:
    async with asyncio.timeout(60):
        while True:
            async with database.read() as conn:
                found = await runs.list_runs(conn, limit=1)
            if found:
                return found[0].id
            await asyncio.sleep(0.1)
