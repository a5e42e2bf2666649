"""A request whose bot was killed or stopped after the acknowledgement is reported to its author."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.commands.registry import REGISTRY
from bot.leader import Fence
from bot.slack.acknowledged import Acknowledged
from bot.slack.asked import DECISIONS, read_asked
from bot.slack.dedup import Deduplicator
from bot.slack.interrupted import InterruptedRequests
from bot.slack.request_origin import read_request_origin
from bot.wake_ups import WakeUps
from services.clients.postgres import deliveries, runs
from services.clients.postgres.pool import Connection, Database
from services.domain.deliveries import Asked
from services.domain.errors import SourceError
from services.domain.runs import NewRun, RunState
from services.domain.secrets import Secret
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.test_reminders import database as database
from tests.integration.bot.approvals.test_reminders import fence as fence
from tests.integration.bot.conftest import Outside
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.integration.bot.running.test_failover import SHORT, Start, until_led
from tests.integration.bot.running.test_failover import start as start
from tests.outside import PATIENCE_S, QUIET_S, until
from tests.wire import Line

ASKED = Asked(model.OLIVIA.id, "/dragonfly scale ingest 2")
PROMISE_S = 60.0
EXPIRED = timedelta(milliseconds=1)
CLAIMS = {**SHORT, "CLAIM_TIMEOUT_S": str(PATIENCE_S)}  # a request that no replica claimed is not reported


def leaders_part(database: Database, settles_s: float = 0.0) -> InterruptedRequests:
    return InterruptedRequests(database, WakeUps(), settles_s=settles_s)


async def reports(conn: Connection) -> list[tuple[str, str]]:
    query = "SELECT channel, text || blocks::text FROM chatops.outbox WHERE key LIKE 'interrupted:%'"
    return [(row[0], row[1]) for row in await (await conn.execute(query)).fetchall()]


async def claims(conn: Connection) -> int:
    row = await (await conn.execute("SELECT count(*) FROM chatops.deliveries WHERE request IS NOT NULL")).fetchone()
    assert row is not None
    return int(row[0])


async def until_claimed(conn: Connection, count: int = 1) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await claims(conn) < count:
            await asyncio.sleep(0.02)


def direct_messages(slack: Slack) -> list[Message]:
    """Return all direct messages to Olivia."""
    return slack.workspace.messages_for(model.OLIVIA.id, slack.workspace.direct_channel(model.OLIVIA.id).id)


async def test_a_command_whose_bot_is_killed_is_reported_to_its_author_within_a_minute(
    start: Start, slack: Slack, outside: Outside, as_bot: Connection
) -> None:
    outside.railway_may_answer.clear()
    killed = await start(**CLAIMS)
    await until_led(as_bot)
    await until(lambda: slack.workspace.sockets.count > 0)

    await slack.type("/dragonfly health")
    await until_claimed(as_bot)
    killed.kill()
    await killed.wait()
    killed_at = asyncio.get_running_loop().time()
    outside.railway_may_answer.set()
    await start(**SHORT)
    async with asyncio.timeout(PROMISE_S):
        while not direct_messages(slack):
            await asyncio.sleep(0.1)

    assert asyncio.get_running_loop().time() - killed_at < PROMISE_S
    [message] = direct_messages(slack)
    assert "`/dragonfly health`" in message.text
    assert "nothing was saved" in str(message.blocks)


async def test_a_command_whose_bot_is_killed_at_the_gate_is_reported_too(
    start: Start, slack: Slack, as_bot: Connection
) -> None:
    """Slack is asked for the account first: until then nothing knew of the command."""
    killed = await start(**SHORT)
    await until_led(as_bot)
    await until(lambda: slack.workspace.sockets.count > 0)
    slack.workspace.faults.plant("users.info", FaultKind.SLOW, times=20, seconds=1.5)
    slack.workspace.faults.plant("conversations.info", FaultKind.SLOW, times=20, seconds=1.5)

    await slack.type("/dragonfly version")
    await until_claimed(as_bot)
    killed.kill()
    await killed.wait()
    assert slack.seen() == []
    slack.workspace.faults.clear()
    await start(**SHORT)
    async with asyncio.timeout(PROMISE_S):
        while not direct_messages(slack):
            await asyncio.sleep(0.1)

    assert "`/dragonfly version`" in direct_messages(slack)[0].text


async def test_a_request_that_needed_no_work_is_not_reported(
    database: Database, as_bot: Connection, fence: Fence
) -> None:
    """It opened a dialog, or the gate refused it: its author saw that."""
    acknowledged = Acknowledged(Deduplicator(database, owner="living", claim=EXPIRED), lambda: None)

    async with acknowledged.take(COMMAND | {"text": "stop-workers"}):
        await until_claimed(as_bot)
    await leaders_part(database).tick(fence)

    assert await claims(as_bot) == 0
    assert await reports(as_bot) == []


async def test_what_another_company_asks_for_is_not_stored(database: Database, as_bot: Connection) -> None:
    """The gate refuses it, and the bot writes to none of them: they may flood a shared channel."""
    acknowledged = Acknowledged(Deduplicator(database, owner="living"), lambda: None, workspace=lambda: "T1")

    async with acknowledged.take(COMMAND | {"text": "version", "team_id": "T2", "trigger_id": "2"}):
        pass
    async with acknowledged.take(COMMAND | {"text": "version"}):
        await until_claimed(as_bot)

    row = await (await as_bot.execute("SELECT count(*) FROM chatops.deliveries")).fetchone()
    assert row == (1,)


async def test_a_repeated_delivery_that_ends_first_takes_no_work_from_the_first(
    database: Database, as_bot: Connection
) -> None:
    replica, done = Deduplicator(database, owner="living"), list[str]()
    acknowledged, body = Acknowledged(replica, lambda: None), COMMAND | {"text": "scale ingest 2"}

    async with acknowledged.take(body):
        async with acknowledged.take(body):
            await until_claimed(as_bot)
        await replica.do("trigger:1", lambda: note(done))

    assert done == ["done"]


async def test_a_request_whose_claim_is_answered_too_late_is_not_reported_once_it_ended(
    database: Database, database_urls: DatabaseUrls, as_bot: Connection, fence: Fence
) -> None:
    async with Line(database_urls.bot).serve() as line:
        slow = Database.connect_lazily(Secret(line.dsn), application_name="test", timeout_s=5.0)
        committed = line.hold(b"COMMIT", "after", lose=False)
        acknowledged = Acknowledged(Deduplicator(slow, owner="living", claim=EXPIRED), lambda: None)

        async with acknowledged.take(COMMAND | {"text": "stop-workers"}):
            await committed.reached.wait()
        committed.release()
        await slow.close()

    await leaders_part(database).tick(fence)

    assert await reports(as_bot) == []


async def test_a_request_whose_look_is_cut_off_by_a_stop_is_reported(
    database: Database, as_bot: Connection, fence: Fence
) -> None:
    replica, begun = Deduplicator(database, owner="stopping"), asyncio.Event()

    async def look() -> None:
        async with Acknowledged(replica, lambda: None).take(COMMAND | {"text": "scale ingest 2"}):
            begun.set()
            await asyncio.Event().wait()

    looking = asyncio.create_task(look())
    await begun.wait()
    await replica.drain(0.05)
    await asyncio.gather(looking, return_exceptions=True)
    await leaders_part(database).tick(fence)

    assert len(await reports(as_bot)) == 1


async def test_a_stop_finishes_what_it_acknowledged(
    start: Start, slack: Slack, outside: Outside, as_bot: Connection
) -> None:
    outside.railway_may_answer.clear()
    stopped = await start(**CLAIMS)
    await until_led(as_bot)
    await until(lambda: slack.workspace.sockets.count > 0)
    await slack.type("/dragonfly health")
    await until_claimed(as_bot)

    stopped.terminate()
    await asyncio.sleep(QUIET_S)
    outside.railway_may_answer.set()
    await stopped.wait()

    [answer] = slack.seen()
    assert "not connected" not in answer.text + str(answer.blocks)  # it takes nothing new, but Slack is not the problem
    assert await claims(as_bot) == 0


async def test_a_stop_waits_for_what_is_still_at_the_gate(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    """Acknowledged, and not claimed by a replica: its author read that Slack did not return their account."""
    bot = await start_bot(database_urls.bot)
    slack.workspace.faults.plant("conversations.info", FaultKind.SLOW, times=20, seconds=0.8)
    slack.workspace.faults.plant("users.info", FaultKind.SLOW, times=20, seconds=0.8)

    await slack.type("/dragonfly version")
    await bot.stop()

    [answer] = slack.seen()
    assert "Nothing was done" not in answer.text


async def test_what_no_replica_works_on_any_more_is_reported_once(
    database: Database, as_bot: Connection, fence: Fence
) -> None:
    async with database.transaction() as conn:
        await deliveries.claim_delivery(conn, key="trigger:1", owner="dead", duration=EXPIRED, asked=ASKED)
    await asyncio.sleep(0.01)

    await asyncio.gather(*(leaders_part(database).tick(fence) for _ in range(3)))
    await leaders_part(database).tick(fence)

    [(channel, text)] = await reports(as_bot)
    assert channel == model.OLIVIA.id
    assert "`/dragonfly scale ingest 2`" in text
    assert await claims(as_bot) == 0  # the request is not stored
    late = Deduplicator(database, owner="late")
    done: list[str] = []
    await late.do("trigger:1", lambda: note(done))
    assert done == []  # its author was asked to do it again


async def note(done: list[str]) -> None:
    done.append("done")


async def test_work_that_takes_long_is_not_interrupted(database: Database, as_bot: Connection, fence: Fence) -> None:
    claim, may_end = timedelta(seconds=0.5), asyncio.Event()
    living = Deduplicator(database, owner="living", claim=claim, renew_s=0.1)

    async def work() -> None:
        await may_end.wait()

    working = asyncio.create_task(living.do("trigger:1", work, asked=ASKED))
    part = leaders_part(database)
    for _ in range(15):
        await asyncio.sleep(0.1)
        await part.tick(fence)
    may_end.set()
    await working

    assert await reports(as_bot) == []
    assert await claims(as_bot) == 0


async def test_a_replica_that_comes_back_after_the_database_was_away_has_time_to_renew(
    database: Database, as_bot: Connection, fence: Fence
) -> None:
    async with database.transaction() as conn:
        await deliveries.claim_delivery(conn, key="trigger:1", owner="living", duration=EXPIRED, asked=ASKED)
    await asyncio.sleep(0.01)
    part = leaders_part(database, settles_s=60.0)

    await part.tick(fence)
    await part.tick(fence)

    assert await reports(as_bot) == []


async def test_a_replica_has_time_to_renew_after_the_database_was_away_a_second_time(
    database_urls: DatabaseUrls, as_bot: Connection, fence: Fence
) -> None:
    """It looked interrupted before the second outage, in which no replica could renew anything."""
    await deliveries.claim_delivery(as_bot, key="trigger:1", owner="living", duration=EXPIRED, asked=ASKED)
    await asyncio.sleep(0.01)
    async with Line(database_urls.bot).serve() as line:
        behind = Database.connect_lazily(Secret(line.dsn), application_name="test", timeout_s=5.0)
        part = leaders_part(behind, settles_s=0.5)
        await part.tick(fence)

        line.cut()
        with pytest.raises(SourceError):
            await part.tick(fence)
        await asyncio.sleep(0.6)
        line.mend()
        await part.tick(fence)
        await behind.close()

    assert await reports(as_bot) == []


async def test_a_run_that_was_filed_is_named(
    database: Database, as_bot: Connection, run_of: NewRun, fence: Fence
) -> None:
    async with database.transaction() as conn:
        await deliveries.claim_delivery(conn, key="trigger:1", owner="dead", duration=EXPIRED, asked=ASKED)
        run_id = await runs.create_run(conn, run_of, [])
    await asyncio.sleep(0.01)

    await leaders_part(database).tick(fence)

    [(_, text)] = await reports(as_bot)
    assert f"Run {run_id} was filed" in text
    assert "nothing was saved" not in text


@pytest.fixture
def run_of() -> NewRun:
    """A run filed by the delivery "trigger:1"."""
    return NewRun(
        environment="dev",
        playbook="scale",
        parameters={},
        plan={"steps": []},
        plan_hash="ab" * 32,
        risk="low",
        title="Scale ingest",
        services=(),
        requested_by=None,
        reason="",
        channel="C1",
        approvals_needed=0,
        expires_at_s=900.0,
        state=RunState.PLANNED,
        kinds=("SetReplicas",),
        format=1,
        delivery="trigger:1",
    )


async def test_what_was_written_is_reported_as_done(database: Database, as_bot: Connection, fence: Fence) -> None:
    async with database.transaction() as conn:
        await deliveries.claim_delivery(conn, key="trigger:1", owner="dead", duration=EXPIRED, asked=ASKED)
        await deliveries.note_written(conn, delivery="trigger:1")
    await asyncio.sleep(0.01)

    await leaders_part(database).tick(fence)

    [(_, text)] = await reports(as_bot)
    assert "It was done" in text


async def test_a_stop_that_takes_too_long_leaves_the_request_to_be_reported(
    database: Database, as_bot: Connection, fence: Fence
) -> None:
    replica, begun = Deduplicator(database, owner="stopping"), asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(replica.do("trigger:1", work, asked=ASKED))
    await begun.wait()
    await replica.drain(0.05)
    await asyncio.gather(working, return_exceptions=True)

    await leaders_part(database).tick(fence)

    assert len(await reports(as_bot)) == 1


COMMAND = {"command": "/dragonfly", "user_id": "U1", "team_id": "T1", "channel_id": "C1", "trigger_id": "1"}
USER = {"user": {"id": "U1", "team_id": "T1"}, "team": {"id": "T1"}}


@pytest.mark.parametrize(
    ("body", "words", "shown_by"),
    [
        (COMMAND | {"text": "scale ingest 2"}, "/dragonfly scale ingest 2", None),
        (COMMAND | {"text": "silence ingest 1h SSN 123-45-6789"}, "/dragonfly silence ingest 1h SSN", None),
        (COMMAND | {"text": "approve 12"}, "/dragonfly approve 12", "run 12"),
        (COMMAND | {"text": "stop-workers ingest doubled"}, "/dragonfly stop-workers ingest doubled", "health"),
        (
            {"event": {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1.2", "text": "<@UBOT> queue"}},
            "@dragonfly queue",
            None,
        ),
        (USER | {"actions": [{"action_id": "command.run.0", "value": "queue"}]}, "/dragonfly queue", None),
        (
            USER | {"actions": [{"action_id": "run.approve", "value": "12", "text": {"text": "Approve"}}]},
            "the button Approve, run 12",
            "run 12",
        ),
        (
            USER | {"actions": [{"action_id": "run.ask_again", "value": "12", "text": {"text": "Ask again"}}]},
            "the button Ask again, run 12",
            None,  # it files another run, which is found by the delivery
        ),
        (
            USER | {"actions": [{"action_id": "run.details", "value": "12", "text": {"text": "Details"}}]},
            "the button Details, run 12",
            None,
        ),
        (
            USER | {"view": {"title": {"text": "Deny"}, "private_metadata": json.dumps({"run": 12})}},
            "the dialog Deny, run 12",
            "run 12",
        ),
        (USER | {"view": {"title": {"text": "Stop"}, "callback_id": "workers.stop"}}, "the dialog Stop", "health"),
    ],
)
def test_what_was_asked_for_is_in_the_authors_words(body: dict[str, Any], words: str, shown_by: str | None) -> None:
    origin = read_request_origin(body)
    assert origin is not None

    asked = read_asked(body, origin, "UBOT")

    assert asked is not None
    assert (asked.user, asked.shown_by) == ("U1", shown_by)
    assert asked.words.startswith(words)
    assert "123-45-6789" not in asked.words


@pytest.mark.parametrize("before", range(250, 258))
def test_no_part_of_a_number_is_kept_where_the_words_are_cut(before: int) -> None:
    body = COMMAND | {"text": f"{'x' * before} SSN 123-45-6789 {'y' * 300}"}
    origin = read_request_origin(body)
    assert origin is not None

    asked = read_asked(body, origin)

    assert asked is not None
    assert "123" not in asked.words


def test_each_decision_about_a_run_is_shown_by_its_run() -> None:
    typed = {
        verb.name for verb in REGISTRY.values() if any("bot.commands.approve:" in repr(one) for one in verb.places)
    }

    assert typed == DECISIONS


@pytest.mark.parametrize("kind", ["reaction_added", "app_home_opened"])
def test_what_no_one_waits_for_is_not_kept(kind: str) -> None:
    body = {"event": {"type": kind, "user": "U1", "tab": "home"}, "team_id": "T1"}
    origin = read_request_origin(body)
    assert origin is not None

    assert read_asked(body, origin) is None
