"""A message that Slack refuses for good holds up no other, and a page among them is sent another way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.app import Bot
from bot.cli import dispatch
from bot.delivery.outbox import Sender
from bot.delivery.undeliverable import Undeliverable
from bot.web.metrics import Metrics
from services.clients.postgres import messages
from services.domain import channels
from services.domain.messages import PAGE, OutboxQueue, RefusedMessage
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Channel, Message
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack, StartBot, environment
from tests.integration.bot.running.test_outbox import Stage
from tests.integration.bot.running.test_outbox import stage as stage
from tests.outside import until

HOME = "dragonfly-incidents"
DAY = timedelta(days=1)


def page_these(stage: Stage, *people: str, pagers: Sequence[tuple[channels.Channel, str]] = ()) -> None:
    """Give the sender people and pagers for pages that Slack refuses."""

    async def recipients() -> Sequence[str]:
        return people

    undeliverable = Undeliverable(stage.client, environment="dev", recipients=recipients, pagers=lambda: pagers)
    stage.sender = Sender(
        stage.database, stage.client, wake_ups=stage.wake_ups, metrics=Metrics(), undeliverable=undeliverable
    )


async def send_all(stage: Stage) -> None:
    while await stage.sender.send_due(stage.fence) == 0.0:
        pass


async def refused(stage: Stage) -> list[RefusedMessage]:
    async with stage.database.read() as conn:
        return await messages.list_undeliverable(conn, window=DAY, limit=100)


async def oldest_page_s(stage: Stage) -> float:
    async with stage.database.read() as conn:
        return await messages.read_oldest_page_s(conn)


def direct(slack: Slack, user: str) -> list[Message]:
    """Return the direct messages to this person."""
    channel = slack.workspace.direct_channel(user).id
    return [message for message in slack.workspace.messages if message.channel == channel]


def home(slack: Slack) -> Channel:
    return slack.workspace.channels[model.INCIDENTS_ID]


def count_named(slack: Slack, why: str = "the channel is") -> int:
    """Return the number of answers in #general that say why the incidents channel takes no messages."""
    answers = [message for message in slack.workspace.messages if message.channel == model.GENERAL_ID]
    return sum(f"takes no messages: {why}" in str(answer.blocks) for answer in answers)


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long", "metadata_too_large"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_message_refused_for_its_content_is_sent_as_plain_text_at_once(
    stage: Stage, slack: Slack, method: str, code: str
) -> None:
    if method == "chat.update":
        await stage.store("before", priority=PAGE)
        await stage.settle()
    slack.workspace.faults.plant(method, FaultKind.REFUSED, code=code)
    await stage.store("wake up", priority=PAGE)
    await stage.settle()

    assert [(message.text, message.blocks) for message in slack.seen()] == [("wake up", [])]
    assert not await refused(stage)


async def test_thirty_that_are_refused_hold_up_no_good_page(stage: Stage, slack: Slack) -> None:
    for number in range(30):
        await stage.store("poisoned", key=f"p{number}", channel="U0NOBODY", priority=PAGE)
    await stage.store("wake up", key="good", priority=PAGE)

    await send_all(stage)

    assert [message.text for message in slack.seen()] == ["wake up"]
    assert len(await refused(stage)) == 30
    assert await oldest_page_s(stage) == 0.0


async def test_a_message_that_keeps_failing_is_tried_after_new_ones(stage: Stage, slack: Slack) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.SERVER_ERROR, times=20)
    for number in range(20):
        await stage.store("failing", key=f"f{number}", priority=PAGE, channel=model.GENERAL_ID)
    await stage.sender.send_due(stage.fence)
    async with stage.database.transaction() as conn:
        await conn.execute("UPDATE chatops.outbox SET next_try_at = clock_timestamp(), posting_since = NULL")
        await conn.execute("UPDATE chatops.outbox SET next_try_at = next_try_at + interval '1 s' WHERE key <> 'f19'")
    await stage.store("wake up", key="good", priority=PAGE)

    async with stage.database.read() as conn:
        due = await messages.list_due_messages(
            conn, outbox_queue=OutboxQueue.PAGES, may_post=True, may_update=True, limit=2
        )

    assert [message.key for message in due] == ["f19", "good"]


async def test_a_page_whose_channel_is_archived_goes_to_people_directly(stage: Stage, slack: Slack) -> None:
    page_these(stage, model.ANN.id, "U0NOBODY", model.BEN.id)
    home(slack).is_archived = True
    await stage.store("wake up", priority=PAGE)

    await send_all(stage)

    assert [message.text for message in direct(slack, model.ANN.id)] == ["wake up"]
    assert "is archived" in str(direct(slack, model.BEN.id)[0].blocks)
    [message] = await refused(stage)
    assert message.error == "chat.postMessage was refused (is_archived); sent to 2 people directly"
    assert await oldest_page_s(stage) == 0.0


async def test_a_note_whose_channel_is_archived_is_for_no_one_else(stage: Stage, slack: Slack) -> None:
    page_these(stage, model.ANN.id)
    home(slack).is_archived = True
    await stage.store("by the way")

    await send_all(stage)

    assert not direct(slack, model.ANN.id)
    assert [message.key for message in await refused(stage)] == ["m1"]


async def test_pagers_are_notified_when_a_page_reaches_no_one_in_slack(stage: Stage, slack: Slack) -> None:
    page_these(stage, "U0NOBODY", pagers=[(channels.Channel.WEBHOOK, "default")])
    home(slack).is_archived = True
    await stage.store("wake up", priority=PAGE)

    await send_all(stage)

    async with stage.database.read() as conn:
        rows = await (await conn.execute("SELECT key, target, subject FROM chatops.notifications")).fetchall()
    [(key, target, subject)] = rows
    assert (key, target) == ("m1:refused:webhook:default", "default")
    assert subject.startswith("dev: ")
    assert "(is_archived)" in subject


async def test_refused_message_is_sent_again_when_its_content_changes(stage: Stage, slack: Slack) -> None:
    home(slack).is_archived = True
    await stage.store("one")
    await send_all(stage)
    home(slack).is_archived = False
    await send_all(stage)
    assert not slack.seen()

    await stage.store("two")
    await stage.settle()

    assert [message.text for message in slack.seen()] == ["two"]
    assert not await refused(stage)


async def test_a_reply_does_not_wait_for_a_message_that_was_refused(stage: Stage, slack: Slack) -> None:
    await stage.store("root", key="root", channel="U0NOBODY")
    await send_all(stage)

    await stage.store("wake up", key="reply", thread_key="root", priority=PAGE)
    await send_all(stage)

    [message] = slack.seen()
    assert (message.text, message.thread_ts) == ("wake up", None)


@pytest.mark.parametrize("code", ["invalid_auth", "missing_scope", "account_inactive"])
async def test_message_stays_in_the_outbox_when_the_token_is_refused(stage: Stage, slack: Slack, code: str) -> None:
    slack.workspace.faults.plant("chat.postMessage", FaultKind.REFUSED, code=code)
    await stage.store("wake up", priority=PAGE)
    await stage.sender.send_due(stage.fence)
    assert await oldest_page_s(stage) > 0.0

    await stage.settle()

    assert [message.text for message in slack.seen()] == ["wake up"]


async def test_a_channel_recreated_under_its_name_gets_pages_replies_and_old_messages(
    stage: Stage, slack: Slack
) -> None:
    await stage.store("root", key="root")
    await stage.settle()
    home(slack).name, home(slack).is_archived = "old-incidents", True
    anew = Channel("C0INCIDENT2", HOME, [*home(slack).members])
    slack.workspace.channels[anew.id] = anew

    await stage.store("wake up", key="reply", thread_key="root", priority=PAGE)
    await stage.settle()
    await stage.store("root, resolved", key="root")
    await stage.settle()

    posted = [message for message in slack.workspace.messages if message.channel == anew.id]
    assert [(message.text, message.thread_ts) for message in posted] == [("wake up", None), ("root, resolved", None)]
    assert not await refused(stage)


async def test_an_archived_channel_is_named_everywhere_and_caught_up_when_it_is_back(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    bot: Bot = await start_bot(database_urls.bot, DRAGONFLY_APPROVERS=model.ANN.id)
    assert bot.wiring is not None
    assert bot.world.database is not None
    wiring = bot.wiring
    home(slack).is_archived = True
    async with bot.world.database.transaction() as conn:
        await messages.store_message(conn, key="m1", channel=HOME, text="wake up", blocks=[], priority=PAGE)

    await until(lambda: bool(direct(slack, model.ANN.id)))
    await until(lambda: wiring.channel.problem is not None)
    channel = (await bot.health()).as_json()["channel"]
    assert channel["ok"] is False
    assert "is archived" in channel["why"]
    olivia = acting_as(slack.workspace, model.OLIVIA.id)
    for number, line in enumerate(("health", "check-config"), 1):
        await olivia.type(model.GENERAL_ID, f"/dragonfly {line}")
        await until(lambda number=number: count_named(slack) == number)  # type: ignore[misc]

    home(slack).is_archived = False
    wiring.wake_ups.channel.set()

    assert (await slack.wait_for(lambda message: message.text == "wake up")).channel == model.INCIDENTS_ID
    await until(lambda: wiring.channel.problem is None)  # the sender may be faster than the check of the channel


async def test_a_channel_shared_with_another_company_gets_nothing_until_it_is_unshared(
    start_bot: StartBot, slack: Slack, database_urls: DatabaseUrls
) -> None:
    bot: Bot = await start_bot(database_urls.bot, DRAGONFLY_APPROVERS=model.ANN.id)
    assert bot.wiring is not None
    assert bot.world.database is not None
    wiring, database = bot.wiring, bot.world.database

    async def store(key: str, text: str) -> None:
        async with database.transaction() as conn:
            await messages.store_message(conn, key=key, channel=HOME, text=text, blocks=[], priority=PAGE)

    await store("m1", "before")
    await slack.wait_for(lambda message: message.text == "before")
    home(slack).is_ext_shared = True
    wiring.wake_ups.channel.set()
    await until(lambda: wiring.channel.problem is not None)

    await store("m2", "wake up")
    await store("m1", "before, edited")
    await until(lambda: bool(direct(slack, model.ANN.id)))
    why = "people of another company read the channel (Slack Connect), so nothing is posted there"
    assert (await bot.health()).as_json()["channel"] == {"ok": False, "why": why}
    olivia = acting_as(slack.workspace, model.OLIVIA.id)
    for number, line in enumerate(("health", "check-config"), 1):
        await olivia.type(model.GENERAL_ID, f"/dragonfly {line}")
        await until(lambda number=number: count_named(slack, why) == number)  # type: ignore[misc]
    assert [message.text for message in slack.seen()] == ["before"]

    home(slack).is_ext_shared = False
    wiring.wake_ups.channel.set()

    assert (await slack.wait_for(lambda message: message.text == "wake up")).channel == model.INCIDENTS_ID
    assert wiring.channel.problem is None


async def test_terminal_names_an_archived_channel_and_a_new_one_without_the_bot(slack: Slack) -> None:
    environ = environment(slack, None)

    async def problems() -> list[str]:
        texts = [(await dispatch([line], environ)).text for line in ("health", "check-config")]
        return [text for text in texts if "the incidents channel takes no messages" in text]

    assert await problems() == []
    home(slack).is_archived = True
    assert [("is archived" in text) for text in await problems()] == [True, True]
    anew = Channel("C0INCIDENT2", HOME, [])
    slack.workspace.channels[anew.id] = anew
    assert [("/invite it" in text) for text in await problems()] == [True, True]
