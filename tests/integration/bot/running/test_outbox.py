"""Messages reach Slack once, in their last state, whatever happens to the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.leader import NAME, Fence, LostLeadershipError
from bot.outbox.sender import Sender
from bot.settings import LeaseSettings
from bot.web.metrics import Metrics
from services.domain.secrets import Secret
from services.postgres import leases, outbox
from services.postgres.pool import Database
from services.sandbox.slack import cast
from services.sandbox.slack.faults import FaultKind
from services.slack.client import SlackClient
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack

BLOCKS: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]


class Stage:
    """A sender that leads, and hands to write with."""

    def __init__(self, database: Database, client: SlackClient, fence: Fence) -> None:
        self.database = database
        self.client = client
        self.fence = fence
        self.sender = Sender(database, client, poll_s=lambda: 0.05, metrics=Metrics())

    async def store(self, text: str, key: str = "m1", **more: Any) -> None:
        async with self.database.transaction() as conn:
            channel = more.pop("channel", "dragonfly-incidents")
            await outbox.store_message(conn, key=key, channel=channel, text=text, blocks=BLOCKS, **more)

    async def settle(self, timeout_s: float = 10.0) -> None:
        """Send until nothing is left."""
        async with asyncio.timeout(timeout_s):
            while True:
                await self.sender.send_due(self.fence)
                async with self.database.read() as conn:
                    if (await outbox.read_outbox_depth(conn)).unsent == 0:
                        return
                await asyncio.sleep(0.05)


@pytest.fixture
async def stage(slack: Slack, database_urls: DatabaseUrls) -> AsyncIterator[Stage]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test")
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", timeout_s=1.0)
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=NAME, owner="bot-1", duration=LeaseSettings().duration * 10)
    assert epoch is not None
    yield Stage(database, client, Fence("bot-1", epoch))
    await client.aclose()
    await database.close()


async def test_posts_once_and_edits_in_place(stage: Stage, slack: Slack) -> None:
    await stage.store("one")
    await stage.settle()
    await stage.store("two")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["two"]


async def test_unchanged_content_is_not_sent_again(stage: Stage, slack: Slack) -> None:
    await stage.store("one")
    await stage.settle()
    await stage.store("one")
    await stage.settle()

    assert not slack.workspace.calls_of("chat.update")


async def test_many_changes_become_few_edits_and_the_last_one_stays(stage: Stage, slack: Slack) -> None:
    await stage.store("0")
    await stage.settle()
    for number in range(1, 30):
        await stage.store(str(number))
        await stage.sender.send_due(stage.fence)
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["29"]
    assert len(slack.workspace.calls_of("chat.update")) <= 2


async def test_post_whose_answer_was_lost_is_found_again(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.LOST_ANSWER)

    await stage.store("one")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["one"]
    assert len(slack.workspace.calls_of("chat.postMessage")) == 1


async def test_answer_that_comes_too_late_is_a_lost_one(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.SLOW, seconds=1.5)

    await stage.store("one")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["one"]


async def test_post_that_failed_for_sure_is_sent_again(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.SERVER_ERROR)

    await stage.store("one")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["one"]


async def test_too_many_requests_are_answered_with_patience(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=2)
    started = time.monotonic()

    await stage.store("one")
    await stage.settle()

    assert time.monotonic() - started >= 2
    assert [message.text for message in slack.seen()] == ["one"]


async def test_one_message_a_second_and_channel(stage: Stage, slack: Slack) -> None:
    for number in range(3):
        await stage.store(str(number), key=f"m{number}")
    started = time.monotonic()

    await stage.settle()

    assert time.monotonic() - started >= 2
    assert len(slack.seen()) == 3


async def test_pages_go_first(stage: Stage, slack: Slack) -> None:
    await stage.store("note", key="m1")
    await stage.store("page", key="m2", priority=10)

    await stage.settle()

    assert [message.text for message in slack.seen()] == ["page", "note"]


async def test_reply_waits_for_its_thread(stage: Stage, slack: Slack) -> None:
    await stage.store("parent", key="m1")
    await stage.store("reply", key="m2", thread_key="m1", priority=10)

    await stage.settle()

    parent, reply = slack.seen()
    assert reply.thread_ts == parent.ts


async def test_deleted_message_is_posted_anew(stage: Stage, slack: Slack) -> None:
    await stage.store("one")
    await stage.settle()
    [message] = slack.seen()
    slack.workspace.messages.remove(message)

    await stage.store("two")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["two"]


async def test_unknown_channel_waits_and_says_why(stage: Stage) -> None:
    await stage.store("one", channel="no-such-channel")

    await stage.sender.send_due(stage.fence)

    async with stage.database.read() as conn:
        [message] = await outbox.list_unsent(conn, limit=10)
    assert message.attempts == 1
    assert message.wait_s > 0


async def test_former_leader_sends_nothing(stage: Stage, slack: Slack) -> None:
    await stage.store("one")

    with pytest.raises(LostLeadershipError):
        await stage.sender.send_due(Fence("bot-1", stage.fence.epoch + 1))

    assert not slack.workspace.calls_of("chat.postMessage")


async def test_channel_of_the_answer_is_the_incidents_channel(stage: Stage, slack: Slack) -> None:
    await stage.store("one", channel="#dragonfly-incidents")

    await stage.settle()

    assert slack.seen()[0].channel == cast.INCIDENTS_ID
