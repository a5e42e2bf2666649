"""The actions of the scenarios: people type, press and fill in; the bot is expected to write; things break.

The bots are whole and run in this process, with the local Slack and a real database, as in
`tests/integration/bot/running`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bot.views.modals import ANSWER
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Json, Message, User
from tests.integration.bot.conftest import outside as outside
from tests.integration.bot.conftest import system as system
from tests.integration.bot.running.conftest import Slack
from tests.integration.bot.running.conftest import crew as crew
from tests.integration.bot.running.conftest import slack as slack
from tests.integration.bot.running.conftest import start_bot as start_bot
from tests.integration.bot.running.conftest import start_whole as start_whole
from tests.integration.bot.runs.conftest import pace as pace
from tests.integration.bot.runs.conftest import railway as railway
from tests.integration.bot.runs.conftest import wire as wire
from tests.outside import PATIENCE_S, first_message
from tests.outside import mailbox as mailbox
from tests.outside import phone as phone
from tests.serving import no_proxy as no_proxy

STORY_S = 90.0  # for one wait, on a busy machine
PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}


def shown(message: Message) -> str:
    """The whole text of a message, buttons included."""
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


def buttons_of(message: Message) -> list[str]:
    """The texts of the message's buttons and menu entries."""
    return [text for text, _, _ in _pressable(message)]


@dataclass(frozen=True)
class Channel:
    """The incidents channel, as people use it. The default person is Olivia, an operator."""

    slack: Slack

    async def type(self, line: str, *, by: User = model.OLIVIA, thread: Message | None = None) -> None:
        """Type a slash command, or in a thread a mention."""
        words = f"/dragonfly {line}" if thread is None else f"<@{self.slack.workspace.bot.id}> {line}"
        person, ts = acting_as(self.slack.workspace, by.id), thread.ts if thread else None
        assert await person.type(model.INCIDENTS_ID, words, thread_ts=ts) is None

    async def press(self, message: Message, label: str, *, by: User = model.OLIVIA) -> None:
        """Press the button or menu entry whose text begins with `label`, on the message as it is now."""
        found = [one for one in _pressable(message) if one[0].startswith(label)]
        assert found, f"no button {label!r} in {shown(message)}"
        _, action_id, value = found[0]
        person = acting_as(self.slack.workspace, by.id)
        assert await person.click(message.channel, message.ts, action_id, value=value) is None

    async def fill_in(self, answer: str, *, by: User = model.OLIVIA, **more: str | None) -> None:
        """Fill in the open dialog, once it is there. `more`: other inputs by name, such as `preset`."""
        async with asyncio.timeout(PATIENCE_S):
            while (view := self.slack.workspace.modal_for(by.id)) is None or "submit" not in view.content:
                await asyncio.sleep(0.01)
        answers = {ANSWER: {ANSWER: answer}} | {name: {name: value} for name, value in more.items() if value}
        assert await acting_as(self.slack.workspace, by.id).submit(view.id, answers) == {}

    async def expect_dialog(self, *words: str, by: User = model.OLIVIA) -> None:
        """Wait for a dialog of this person that contains all these words."""
        async with asyncio.timeout(PATIENCE_S):
            while (view := self.slack.workspace.modal_for(by.id)) is None or not all(
                one in json.dumps(view.content, ensure_ascii=False) for one in words
            ):
                await asyncio.sleep(0.01)

    async def expect(
        self, *words: str, by: User = model.OLIVIA, at: Message | None = None, thread: Message | None = None
    ) -> Message:
        """Wait for a bot message with all these words: this one (`at`), one of the thread, or any that `by` sees."""

        def wanted(message: Message) -> bool:
            is_here = at is None or message.ts == at.ts
            is_there = thread is None or message.thread_ts == thread.ts
            return is_here and is_there and all(one in shown(message) for one in words)

        return await self.slack.wait_for(wanted, user=by, timeout_s=STORY_S)

    async def expect_direct(self, *words: str, to: User) -> Message:
        """Wait for a direct message of the bot to this person with all these words."""
        workspace = self.slack.workspace
        there = workspace.direct_channel(to.id).id

        def seen() -> list[Message]:
            return [one for one in workspace.messages if one.channel == there and one.user == workspace.bot.id]

        return await first_message(seen, lambda message: all(one in shown(message) for one in words), timeout_s=STORY_S)


def _pressable(message: Message) -> Iterator[tuple[str, str, str | None]]:
    """`(text, action id, value)` of each button and each entry of a menu."""
    elements: list[Json] = []
    for block in message.blocks:
        elements += [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else [])]
    for one in elements:
        if one.get("type") == "button":
            yield one["text"]["text"], one["action_id"], None
        for option in one.get("options", ()):
            yield option["text"]["text"], one["action_id"], option["value"]


@pytest.fixture
def channel(slack: Slack) -> Channel:
    return Channel(slack)
