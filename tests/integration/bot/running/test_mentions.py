"""Mentions as Slack really delivers them: other kinds of messages, colleagues named first, edits, decorations."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bot.slack.request_origin import NOT_SPEECH
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message
from tests.integration.bot.running.conftest import Slack

_NUMBERS = itertools.count(1)

BOT = f"<@{model.BOT.id}>"


class Channel:
    """Delivers mentions in the incidents channel as Slack does."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def mentioned(self, text: str, **more: Any) -> str:
        """Deliver an `app_mention` by Olivia, with its own event id; return the ts of its message."""
        ts = more.pop("ts", None) or self._slack.workspace.new_ts()
        self._stands(ts, text)
        event = {
            "type": "app_mention",
            "user": model.OLIVIA.id,
            "channel": model.INCIDENTS_ID,
            "ts": ts,
            "event_ts": ts,
            "team": self._slack.workspace.team.id,
            "text": text,
            **more,
        }
        payload = {
            "type": "event_callback",
            "team_id": self._slack.workspace.team.id,
            "event_id": f"EvMENTION{next(_NUMBERS)}",
            "event": event,
        }
        assert await self._slack.workspace.events.deliver(payload)
        return str(ts)

    def _stands(self, ts: str, text: str) -> None:
        """Add the message to the channel, so that an answer can be in its thread; it is not delivered."""
        messages = self._slack.workspace.messages
        if messages.find(model.INCIDENTS_ID, ts) is None:
            messages.restore(Message(model.INCIDENTS_ID, ts, model.OLIVIA.id, text))

    async def answers(self, text: str) -> list[Message]:
        """Return all answers with this text, once the last question is answered too."""
        ts = await self.mentioned(f"{BOT} sha")
        await self._slack.wait_for(lambda message: message.thread_ts == ts)
        return [message for message in self._slack.seen() if text in message.text]


@pytest.fixture
def channel(slack: Slack) -> Channel:
    return Channel(slack)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    "more",
    [
        {"subtype": "thread_broadcast", "thread_ts": "5.0", "root": {"ts": "5.0"}},
        {"subtype": "me_message"},
        {"subtype": "file_share", "files": [{"id": "F1"}], "upload": True},
    ],
    ids=lambda more: str(more["subtype"]),
)
async def test_every_way_of_speaking_is_answered(channel: Channel, slack: Slack, more: dict[str, Any]) -> None:
    await channel.mentioned(f"{BOT} queue", **more)

    answer = await slack.wait_for()

    assert "queue" in answer.text.lower()


@pytest.mark.usefixtures("bot")
async def test_mention_of_a_system_event_or_a_bot_is_not_answered(channel: Channel) -> None:
    for subtype in NOT_SPEECH:
        await channel.mentioned(f"{BOT} queue", subtype=subtype)
    await channel.mentioned(f"{BOT} queue", bot_id="B0OTHER")

    assert await channel.answers("queue") == []


@pytest.mark.usefixtures("bot")
async def test_a_colleague_who_is_mentioned_first_does_no_harm(channel: Channel, slack: Slack) -> None:
    await channel.mentioned(f"<@{model.BEN.id}> I have it. {BOT} queue")

    answer = await slack.wait_for()

    assert "queue" in answer.text.lower()
    assert "no command" not in answer.text


@pytest.mark.usefixtures("bot")
async def test_a_sentence_is_answered_with_what_it_may_mean(channel: Channel, slack: Slack) -> None:
    ts = await channel.mentioned(f"hey {BOT} please show me the queue")
    offer = await slack.wait_for(lambda message: "Did you mean `queue`" in message.text)
    [button] = offer.blocks[-1]["elements"]

    await acting_as(slack.workspace, model.OLIVIA.id).click(model.INCIDENTS_ID, offer.ts, button["action_id"])

    assert (offer.visible_to, offer.thread_ts) == (model.OLIVIA.id, ts)
    assert button["text"]["text"] == "Run queue"
    await slack.wait_for(lambda message: message.ts != offer.ts and "queue" in message.text.lower())


@pytest.mark.usefixtures("bot")
async def test_mention_is_one_command_across_repeated_events_and_edits(channel: Channel, slack: Slack) -> None:
    ts = await channel.mentioned(f"{BOT} incident open ingest rows are missing")
    await slack.wait_for(lambda message: "rows are missing" in message.text)

    await channel.mentioned(f"{BOT} incident open ingest rows are missing", ts=ts)
    await channel.mentioned(f"{BOT} incident open ingest rows are missing", ts=ts, subtype="thread_broadcast")
    await channel.mentioned(
        f"{BOT} incident open ingest all rows are missing", ts=ts, edited={"user": model.OLIVIA.id, "ts": "9.0"}
    )
    edit = await slack.wait_for(lambda message: "Type it again" in message.text)

    assert edit.visible_to == model.OLIVIA.id
    assert edit.blocks[-1]["elements"][0]["value"] == "incident open ingest all rows are missing"
    await channel.answers("")
    await slack.type("/dragonfly incident")
    listed = await slack.wait_for(lambda message: "open*" in message.text)
    assert listed.text.startswith("🔴 *1 incident open*")


@pytest.mark.usefixtures("bot")
async def test_a_mention_that_an_edit_added_is_not_run(channel: Channel, slack: Slack) -> None:
    await channel.mentioned(f"{BOT} queue", edited={"user": model.OLIVIA.id, "ts": "9.0"})

    answer = await slack.wait_for()

    assert "edit was not" in answer.text


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    "text",
    [
        f"{BOT} *queue*",
        f"{BOT}, queue",
        f"{BOT} queue.",
        f"{BOT} “queue”",
        f"{BOT} `que\u200bue`",
        f"{BOT}\u00a0queue!",
    ],
)
async def test_a_decorated_command_is_understood(channel: Channel, slack: Slack, text: str) -> None:
    await channel.mentioned(text)

    answer = await slack.wait_for()

    assert "no command" not in answer.text
    assert answer.visible_to is None  # everyone may read the queue
