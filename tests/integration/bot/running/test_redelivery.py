"""A payload that Slack delivers again is processed once, across replicas and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.slack.dedup import Deduplicator
from services.clients.postgres.pool import Connection, Database
from services.domain.secrets import Secret
from services.sandbox.slack import actor, model
from services.sandbox.slack.delivery import Envelope, EnvelopeKind
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot
from tests.outside import PATIENCE_S, QUIET_S, until

CLAIM = timedelta(hours=1)  # expires only when a test makes it


def _command(slack: Slack) -> Envelope:
    user = slack.workspace.users[model.OLIVIA.id]
    payload = actor.command(slack.workspace, user, model.INCIDENTS_ID, "/dragonfly", "queue")
    return Envelope(EnvelopeKind.COMMAND, payload)


async def test_two_replicas_answer_a_repeated_command_once(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.dedup.CLAIM_TIMEOUT_S", PATIENCE_S)  # after that both may answer
    for bot in [await start_bot(database_urls.bot) for _ in range(2)]:
        wiring = bot.wiring
        assert wiring is not None
        await until(lambda wiring=wiring: wiring.leader.database_problem is None)  # type: ignore[misc]
    envelope = _command(slack)

    for _ in range(4):  # the local Slack takes the connections in turn
        await slack.workspace.delivery.send(envelope)
    await slack.wait_for()
    await asyncio.sleep(QUIET_S)

    assert len(slack.seen()) == 1


async def test_repeated_command_is_answered_once_without_a_database(start_bot: StartBot, slack: Slack) -> None:
    await start_bot(None)
    envelope = _command(slack)

    for _ in range(3):
        await slack.workspace.delivery.send(envelope)
    await slack.wait_for(lambda message: "queue" in message.text.lower())
    await asyncio.sleep(QUIET_S)

    assert len([message for message in slack.seen() if "queue" in message.text.lower()]) == 1


class Work:
    """Counts how often it was done; `hold` keeps it from ending."""

    def __init__(self) -> None:
        self.done = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def __call__(self) -> None:
        self.done += 1
        await self.hold.wait()


@pytest.fixture
async def replicas(database_urls: DatabaseUrls) -> AsyncIterator[list[Deduplicator]]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    yield [Deduplicator(database, owner=f"bot-{number}", claim=CLAIM) for number in range(2)]
    await database.close()


async def test_error_does_not_wait_for_a_database_that_hangs_and_its_record_is_written_before_the_end(
    database_urls: DatabaseUrls, replicas: list[Deduplicator], caplog: pytest.LogCaptureFixture
) -> None:
    """The person sees the error once it is raised: that must not come after the record's time has run out."""
    only = Database.connect_lazily(Secret(database_urls.bot), application_name="test", max_size=1, timeout_s=60.0)
    one, held, work = Deduplicator(only, owner="bot-1", claim=CLAIM), asyncio.Event(), Work()

    async def take_the_session() -> None:
        async with only.read(timeout_s=PATIENCE_S):
            held.set()
            await asyncio.Event().wait()

    async def fail() -> None:
        holding.append(asyncio.create_task(take_the_session()))
        await held.wait()
        raise ValueError

    holding: list[asyncio.Task[None]] = []
    try:
        with pytest.raises(ValueError):  # noqa: PT011 - the test's own, just above
            await asyncio.create_task(one.do("k", fail))
        assert "not recorded" not in caplog.text
        holding[0].cancel()
        await asyncio.gather(*holding, return_exceptions=True)
        await one.drain(PATIENCE_S)
        await replicas[1].do("k", work)
    finally:
        await only.close()

    assert "not recorded" not in caplog.text
    assert work.done == 0


async def test_finished_work_is_not_done_again_after_a_restart(replicas: list[Deduplicator]) -> None:
    work = Work()

    await replicas[0].do("event:1", work)
    await replicas[1].do("event:1", work)

    assert work.done == 1


async def test_work_of_a_dead_replica_is_done_by_a_redelivery(
    replicas: list[Deduplicator], as_owner: Connection
) -> None:
    dead, work = Work(), Work()
    dead.hold.clear()
    dying = asyncio.create_task(replicas[0].do("event:1", dead))
    await until(lambda: dead.done == 1)

    redelivery = asyncio.create_task(replicas[1].do("event:1", work))
    await asyncio.sleep(QUIET_S)
    while_claimed = work.done
    await as_owner.execute("UPDATE chatops.deliveries SET claimed_until = clock_timestamp()")
    await redelivery

    assert (while_claimed, work.done) == (0, 1)
    dead.hold.set()
    await dying


async def test_work_cut_off_by_a_shutdown_is_left_to_a_redelivery(replicas: list[Deduplicator]) -> None:
    cut, work = Work(), Work()
    cut.hold.clear()
    cutting = asyncio.create_task(replicas[0].do("event:1", cut))
    await until(lambda: cut.done == 1)

    await replicas[0].drain(0.05)
    await asyncio.wait_for(replicas[1].do("event:1", work), PATIENCE_S)

    assert cutting.cancelled()
    assert work.done == 1


async def test_work_that_failed_was_answered_and_is_finished(replicas: list[Deduplicator]) -> None:
    async def fail() -> None:
        raise KeyError

    work = Work()

    with pytest.raises(KeyError):
        await replicas[0].do("event:1", fail)
    await replicas[1].do("event:1", work)

    assert work.done == 0
