"""Messages reach Slack once, in their last state, even if answers are lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.config.timing import LeaseSettings
from bot.delivery.decide import FIRST_RETRY, UPDATE_PAUSE
from bot.delivery.outbox import Sender
from bot.leader import Fence, LostLeadershipError
from bot.views.blocks import actions, message_button
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from services.clients.postgres import leases, messages
from services.clients.postgres.leases import LEADER
from services.clients.postgres.pool import Connection, Database
from services.clients.slack import SlackClient
from services.domain.messages import PAGE, OutboxQueue
from services.domain.secrets import Secret
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack
from tests.outside import PATIENCE_S, QUIET_S, until
from tests.scheduling import leading
from tests.wire import Line

SLACK_AWAY_S = 2.0

BLOCKS: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]


class Stage:
    """A sender that is the leader, and methods that store messages."""

    def __init__(self, database: Database, client: SlackClient, fence: Fence) -> None:
        self.database = database
        self.client = client
        self.fence = fence
        self.wake_ups = WakeUps(poll_s=0.05)
        self.sender = Sender(database, client, wake_ups=self.wake_ups, metrics=Metrics())

    async def store(self, text: str, key: str = "m1", **more: Any) -> None:
        async with self.database.transaction() as conn:
            channel = more.pop("channel", "dragonfly-incidents")
            await messages.store_message(conn, key=key, channel=channel, text=text, blocks=BLOCKS, **more)

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Run both queues of the sender, as on the leader."""
        async with leading(self.fence, *self.sender.tasks):
            yield

    async def settle(self, timeout_s: float = PATIENCE_S) -> None:
        """Send until nothing is left."""
        async with asyncio.timeout(timeout_s):
            while True:
                await self.sender.send_due(self.fence)
                async with self.database.read() as conn:
                    if await count_unsent(conn) == 0:
                        return
                await asyncio.sleep(0.05)


async def count_unsent(conn: Connection) -> int:
    """Return the number of messages that Slack does not have in their current version."""
    cur = await conn.execute("SELECT count(*) FROM chatops.outbox WHERE sent_version < content_version")
    row = await cur.fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
async def stage(slack: Slack, database_urls: DatabaseUrls) -> AsyncIterator[Stage]:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    client = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", timeout_s=1.0, patience=0)
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=LEADER, owner="bot-1", duration=LeaseSettings().duration * 10)
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
    started = time.monotonic()
    for number in range(1, 30):
        await stage.store(str(number))
        await stage.sender.send_due(stage.fence)
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["29"]
    spent_s = time.monotonic() - started  # two, but more on a slow machine
    assert len(slack.workspace.calls_of("chat.update")) <= 2 + spent_s / UPDATE_PAUSE.total_seconds()


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


async def test_an_answer_that_slack_holds_off_for_long_holds_up_no_page_and_no_note(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=PATIENCE_S)
    patient = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", pace=stage.client.pace)
    answer = asyncio.create_task(patient.post(model.INCIDENTS_ID, "answer", []))
    await until(lambda: bool(slack.workspace.calls_of("chat.postMessage")))

    await stage.store("page", key="m1", priority=PAGE)
    await stage.store("elsewhere", key="m2", priority=PAGE, channel=model.OLIVIA.id)
    await stage.store("note", key="m3")
    await stage.settle(PATIENCE_S / 2)

    assert not answer.done()
    answer.cancel()
    await patient.aclose()


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


async def test_a_page_does_not_wait_for_an_edit_that_slack_refuses(stage: Stage, slack: Slack) -> None:
    for number in range(2):
        await stage.store("before", key=f"m{number}", priority=PAGE)
    await stage.settle()
    slack.workspace.faults.plant("chat.update", FaultKind.RATE_LIMIT, times=1000, seconds=60)
    for number in range(2):
        await stage.store("after", key=f"m{number}", priority=PAGE)

    async with stage.sending():
        await until(lambda: bool(slack.workspace.calls_of("chat.update")))
        await stage.store("PAGE", key="page", priority=PAGE)
        stage.wake_ups.outbox.set()
        await slack.wait_for(lambda message: message.text == "PAGE")

    assert len(slack.workspace.calls_of("chat.update")) == 1, "once refused, it is not asked again before its time"


async def test_a_page_does_not_wait_for_an_edit_that_slack_answers_slowly(stage: Stage, slack: Slack) -> None:
    await stage.store("before", key="m1")
    await stage.settle()
    stage.client = slow = SlackClient(
        Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", timeout_s=600.0, patience=0
    )
    stage.sender = Sender(stage.database, slow, wake_ups=stage.wake_ups, metrics=Metrics())
    slack.workspace.faults.plant("chat.update", FaultKind.SLOW, seconds=600)
    await stage.store("after", key="m1")
    await asyncio.sleep(UPDATE_PAUSE.total_seconds() + 0.1)

    async with stage.sending():
        await stage.store("PAGE", key="page", priority=PAGE)
        stage.wake_ups.outbox.set()
        await slack.wait_for(lambda message: message.text == "PAGE")
        assert not slack.workspace.calls_of("chat.update"), "the slow edit is finished"

    await slow.aclose()


async def test_page_that_slack_refuses_goes_before_all_notes(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.RATE_LIMIT, seconds=2)
    await stage.store("PAGE", key="page", priority=PAGE)
    await stage.sender.send_due(stage.fence)
    await stage.store("note", key="m1")

    await stage.settle()

    assert [message.text for message in slack.seen()] == ["PAGE", "note"]


async def test_a_message_that_can_t_be_sent_does_not_block_the_others(stage: Stage, slack: Slack) -> None:
    for number in range(25):
        await stage.store("lost", key=f"m{number}", channel="no-such-channel", priority=5)
    await stage.store("found", key="last")

    await stage.sender.send_due(stage.fence)
    await stage.sender.send_due(stage.fence)

    assert [message.text for message in slack.seen()] == ["found"]


async def test_copy_that_grew_old_is_not_posted_a_second_time(stage: Stage) -> None:
    """A message may become a page while the other queue is about to post it."""
    await stage.store("one")
    async with stage.database.read() as conn:
        [old] = await messages.list_due_messages(
            conn, outbox_queue=OutboxQueue.REST, may_post=True, may_update=True, limit=1
        )
    await stage.settle()

    async with stage.database.transaction() as conn:
        assert not await messages.begin_posting(conn, key=old.key, seen=old.posting_since)


async def test_a_message_that_another_began_to_post_meanwhile_is_left_to_it(
    stage: Stage, slack: Slack, database_urls: DatabaseUrls
) -> None:
    async with Line(database_urls.bot).serve() as line:
        database = Database.connect_lazily(Secret(line.dsn), application_name="test", timeout_s=60.0)
        late = Stage(database, stage.client, stage.fence)
        await stage.store("one")
        claim = line.hold(b"SET posting_since = clock_timestamp()", "before", lose=False)
        sending = asyncio.create_task(late.sender.send_due(stage.fence))
        await claim.reached.wait()
        async with stage.database.transaction() as conn:
            assert await messages.begin_posting(conn, key="m1", seen=None)

        claim.release()
        await sending

        await database.close()
    assert not slack.workspace.calls_of("chat.postMessage")


async def test_errors_of_slack_lose_nothing_and_double_nothing(stage: Stage, slack: Slack) -> None:
    faults = slack.workspace.faults
    for kind in (FaultKind.SERVER_ERROR, FaultKind.LOST_ANSWER, FaultKind.RATE_LIMIT, FaultKind.LOST_ANSWER):
        faults.plant("chat.postMessage", kind)
        faults.plant("chat.update", kind)
    texts = [f"message {number}" for number in range(4)]

    async with stage.sending():
        for number, text in enumerate(texts):
            await stage.store("first words", key=f"m{number}", priority=PAGE * (number % 2))
            stage.wake_ups.outbox.set()
            await stage.store(text, key=f"m{number}", priority=PAGE * (number % 2))
        faults.is_down = True
        await asyncio.sleep(SLACK_AWAY_S)
        faults.is_down = False
        await until(lambda: sorted(message.text for message in slack.seen()) == texts)
        await stage.settle()

    assert sorted(message.text for message in slack.seen()) == texts


async def test_reply_waits_for_its_thread(stage: Stage, slack: Slack) -> None:
    await stage.store("parent", key="m1")
    await stage.store("reply", key="m2", thread_key="m1", priority=10)

    await stage.settle()

    parent, reply = slack.seen()
    assert reply.thread_ts == parent.ts


async def test_a_deleted_message_is_posted_again(stage: Stage, slack: Slack) -> None:
    await stage.store("one")
    await stage.settle()
    [message] = slack.seen()
    slack.workspace.messages.remove(message)

    await stage.store("two")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["two"]


async def test_replies_go_below_the_message_that_replaced_a_deleted_one(stage: Stage, slack: Slack) -> None:
    await stage.store("root", key="m1", priority=PAGE)
    await stage.settle()
    [root] = slack.seen()
    slack.workspace.messages.remove(root)

    async with stage.sending():
        for number in range(3):
            await stage.store(f"reply {number}", key=f"m{number + 2}", thread_key="m1", priority=PAGE * (number % 2))
        await until(lambda: len(slack.seen()) == 4)
        await asyncio.sleep(QUIET_S)

    [anew] = [message for message in slack.seen() if message.text == "root"]
    replies = [message for message in slack.seen() if message.text != "root"]
    assert anew.ts != root.ts
    assert {reply.thread_ts for reply in replies} == {anew.ts}
    assert sorted(reply.text for reply in replies) == ["reply 0", "reply 1", "reply 2"]


async def test_a_deleted_message_with_an_edit_and_replies_is_posted_again_once(stage: Stage, slack: Slack) -> None:
    await stage.store("one", key="m1", priority=PAGE)
    await stage.settle()
    slack.workspace.messages.remove(slack.seen()[0])

    async with stage.sending():
        for number in range(3):
            await stage.store(f"reply {number}", key=f"m{number + 2}", thread_key="m1")
        await stage.store("two", key="m1", priority=PAGE)
        await until(lambda: [message.text for message in slack.seen()].count("two") == 1 and len(slack.seen()) == 4)
        await asyncio.sleep(QUIET_S)

    roots = [message for message in slack.seen() if message.thread_ts is None]
    assert [message.text for message in roots] == ["two"]


async def test_a_failure_waits_and_reports_why(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code="service_unavailable")
    await stage.store("one")

    await stage.sender.send_due(stage.fence)

    async with stage.database.read() as conn:
        wait_s = await messages.read_outbox_wait(conn, outbox_queue=OutboxQueue.REST, may_post=True, may_update=True)
        cur = await conn.execute("SELECT attempts, last_error, next_try_at - created_at FROM chatops.outbox")
        row = await cur.fetchone()
    assert wait_s is not None
    assert row is not None
    assert row[0] == 1
    assert "service_unavailable" in row[1]
    assert row[2] >= FIRST_RETRY


async def test_unknown_channel_leaves_the_queue_and_reports_why(stage: Stage) -> None:
    await stage.store("one", channel="no-such-channel")

    await stage.sender.send_due(stage.fence)

    async with stage.database.read() as conn:
        assert (
            await messages.read_outbox_wait(conn, outbox_queue=OutboxQueue.REST, may_post=True, may_update=True) is None
        )
        [message] = await messages.list_undeliverable(conn, window=timedelta(days=1), limit=10)
    assert message.error == "conversations.list was refused (channel_not_found)"


async def test_former_leader_sends_nothing(stage: Stage, slack: Slack) -> None:
    await stage.store("one")

    with pytest.raises(LostLeadershipError):
        await stage.sender.send_due(Fence("bot-1", stage.fence.epoch + 1))

    assert not slack.workspace.calls_of("chat.postMessage")


async def test_channel_of_the_answer_is_the_incidents_channel(stage: Stage, slack: Slack) -> None:
    await stage.store("one", channel="#dragonfly-incidents")

    await stage.settle()

    assert slack.seen()[0].channel == model.INCIDENTS_ID


async def withdraw(stage: Stage) -> None:
    """Withdraw the pages without waiting for the one being sent."""
    async with stage.database.transaction() as conn:
        await messages.withdraw(conn, key_prefix="call:", late=("over", BLOCKS), patience_s=0)


async def test_call_that_arrives_after_its_withdrawal_reports_that_it_is_over(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.SLOW, seconds=2.0)
    await stage.store("wake up", key="call:1", priority=PAGE)
    await stage.sender.send_due(stage.fence)  # it waits 1 s for the answer
    await withdraw(stage)
    await until(lambda: bool(slack.seen()))
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["over"]
    assert len(slack.workspace.calls_of("chat.postMessage")) == 1


async def test_call_whose_answer_comes_after_its_withdrawal_reports_that_it_is_over(stage: Stage, slack: Slack) -> None:
    await stage.store("wake up", key="call:1", priority=PAGE)
    async with stage.database.transaction() as conn:
        assert await messages.begin_posting(conn, key="call:1", seen=None)
    await withdraw(stage)
    channel, ts = await stage.client.post(model.INCIDENTS_ID, "wake up", BLOCKS, key="call:1")
    async with stage.database.transaction() as conn:
        await messages.mark_sent(conn, key="call:1", version=1, channel_id=channel, ts=ts, pause=timedelta())
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["over"]


async def test_call_that_never_arrives_is_looked_for_and_not_posted_again(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.SERVER_ERROR)
    await stage.store("wake up", key="call:1", priority=PAGE)
    await stage.sender.send_due(stage.fence)
    await withdraw(stage)
    await stage.sender.send_due(stage.fence)
    async with stage.database.transaction() as conn:
        assert await count_unsent(conn) == 1
        assert await messages.read_oldest_page_s(conn) == 0, "it is no page that waits"
        await conn.execute(
            "UPDATE chatops.outbox SET withdrawn_at = withdrawn_at - interval '2 minutes', next_try_at = now()"
        )
    await stage.settle()

    assert slack.seen() == []


async def test_withdrawn_call_that_slack_refused_after_all_is_never_posted(stage: Stage, slack: Slack) -> None:
    await stage.store("wake up", key="call:1", priority=PAGE)
    async with stage.database.transaction() as conn:
        await conn.execute("UPDATE chatops.outbox SET withdrawn_at = now()")
    await stage.settle()

    assert not slack.workspace.calls_of("chat.postMessage")


async def test_a_page_does_not_wait_for_the_next_poll_after_the_database_failed(
    stage: Stage, slack: Slack, database_urls: DatabaseUrls, caplog: pytest.LogCaptureFixture
) -> None:
    async with Line(database_urls.bot).serve() as line:
        database = Database.connect_lazily(Secret(line.dsn), application_name="test", timeout_s=60.0)
        stage.sender = Sender(database, stage.client, wake_ups=WakeUps(poll_s=3600.0), metrics=Metrics())
        line.cut()

        async with stage.sending():
            await until(lambda: "outbox: " in caplog.text)
            line.mend()
            await stage.store("wake up", priority=PAGE)  # nothing wakes it: the NOTIFY was lost with the session

            await slack.wait_for(lambda message: message.text == "wake up", timeout_s=PATIENCE_S)
        await database.close()


async def test_message_links_to_another_message_once_slack_has_it(stage: Stage, slack: Slack) -> None:
    blocks = [*BLOCKS, *actions([message_button("Open the thread", "m2")])]
    stage.sender = Sender(
        stage.database,
        stage.client,
        wake_ups=stage.wake_ups,
        metrics=Metrics(),
        workspace_url=lambda: "https://acme.slack.com",
    )
    async with stage.database.transaction() as conn:
        await messages.store_message(
            conn, key="m1", channel="dragonfly-incidents", text="first", blocks=blocks, priority=PAGE
        )
    await stage.settle()
    [alone] = slack.seen()
    assert "Open the thread" not in str(alone.blocks)

    await stage.store("second", "m2")
    await stage.settle()

    first, second = slack.seen()
    where = f"https://acme.slack.com/archives/{second.channel}/p{second.ts.replace('.', '')}"
    assert first.blocks[1]["elements"][0]["url"] == where
