"""People ask for changes, others approve them, and services that really run are changed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.views.run_buttons import APPROVE, CONFIRM, DENY
from services.domain.services import Service
from services.sandbox.railway.commits import HISTORY, Behaviour
from services.sandbox.slack import cast
from services.sandbox.slack.model import Message

if TYPE_CHECKING:
    from tests.e2e.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUN_S = 90.0  # a scale with its soak, or a rollback with its proof, on a busy machine


class Room:
    """The incidents channel, as those who ask and decide use it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def ask(self, line: str, user: str = cast.OLIVIA.id) -> Message:
        """Type a change; its run's message."""
        known = {message.ts for message in self._stage.messages(user)}
        error = await self._stage.sandbox.workspace.acting_as(user).type(cast.INCIDENTS_ID, f"/dragonfly {line}")
        assert error is None
        return await self._stage.wait_for(
            lambda message: message.ts not in known and message.visible_to is None, user=user
        )

    async def click(self, message: Message, action_id: str, user: str) -> None:
        error = await self._stage.sandbox.workspace.acting_as(user).click(cast.INCIDENTS_ID, message.ts, action_id)
        assert error is None

    async def told(self, user: str, words: str) -> Message:
        """What only this person sees."""
        return await self._stage.wait_for(
            lambda message: message.visible_to == user and words in shown(message), user=user
        )

    async def until(self, message: Message, words: str, timeout_s: float = RUN_S) -> Message:
        """The same message, once it says so."""
        return await self._stage.wait_for(
            lambda one: one.ts == message.ts and words in one.text, timeout_s=timeout_s
        )


def shown(message: Message) -> str:
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


def actions_of(message: Message) -> set[str]:
    return {
        element["action_id"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }


@pytest.fixture
def room(stage: Stage) -> Room:
    return Room(stage)


async def test_scaling_up_is_confirmed_carried_out_and_proved(stage: Stage, room: Room) -> None:
    asked = await room.ask("scale ingest 2")
    assert "WAITS FOR CONFIRMATION" in asked.text

    await room.click(asked, CONFIRM, cast.OLIVIA.id)
    done = await room.until(asked, "DONE")

    assert "Scale ingest: 1 → 2" in done.text
    assert "audit `" in shown(done)
    assert not {APPROVE, CONFIRM, DENY} & actions_of(done)
    heartbeats = await stage.ask("/dragonfly heartbeats ingest")
    assert "2 of 2" in shown(heartbeats)
