"""Two bots in one workspace: neither acts on a click that belongs to the other, whatever the payload looks like."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from bot.slack.acknowledged import Acknowledged
from bot.slack.dedup import Deduplicator
from bot.slack.gate import Gate, GatedApp
from bot.slack_directory import make_profiles
from bot.views import modals
from bot.views.blocks import actions, command_button, section
from services.clients.slack import SlackClient
from services.domain.message_origin import MessageOrigin, named_environments
from services.domain.secrets import Secret

PAYLOADS = 10_000
STAGING, PROD = MessageOrigin("staging", "🟦 staging"), MessageOrigin("prod", "🟥 prod")
Payload = dict[str, Any]


class Registered:
    """Stands in for Bolt's app: keeps the gated handlers, and calls them with a payload."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[..., Any]] = {}
        for kind in ("command", "event", "action", "shortcut", "options", "view", "view_closed"):
            setattr(self, kind, self._register(kind))

    def _register(self, kind: str) -> Callable[..., Any]:
        def register(*_: object) -> Callable[[Callable[..., Any]], None]:
            return lambda handler: self.handlers.__setitem__(kind, handler)

        return register


class Bot:
    """The gate of one environment's bot, and what it acted on."""

    def __init__(self, environment: str | None) -> None:
        self.acted: list[Payload] = []
        self.refused: list[Exception] = []
        slack = SlackClient(Secret("xoxb-1"), api_url="http://127.0.0.1:1/")
        gate = Gate(slack, make_profiles(slack), workspace=lambda: "T1", channel="C1", environment=environment)
        self._bolt = Registered()
        acknowledged = Acknowledged(Deduplicator(None, owner="test"), lambda: None)
        app = GatedApp(self._bolt, gate, self._show, acknowledged)  # type: ignore[arg-type]

        async def act(body: Payload) -> None:
            self.acted.append(body)

        app.action(".*")(act)
        app.view(".*")(act)

    async def _show(self, error: Exception, _: Mapping[str, Any]) -> None:
        self.refused.append(error)

    async def take(self, payload: Payload) -> None:
        """Hands it over as Bolt does; it names no person, so the gate makes no call to Slack."""
        kind = "view" if payload["type"] == "view_submission" else "action"
        await self._bolt.handlers[kind](payload, _acknowledged)


async def _acknowledged(*_: object, **__: object) -> None:
    return


def message_blocks(origin: MessageOrigin, number: int) -> list[Payload]:
    """A short message of a run: words, and buttons, of which `Approve` carries only the number of the run."""
    approve: Payload = {"type": "button", "action_id": "run.approve", "value": str(number)}
    approve |= {"text": {"type": "plain_text", "text": "Approve"}}
    health = command_button("Health", "health")
    return origin.blocks([section(f"Run {number}", accessory=health), *actions([approve]), *actions([health])])


def click(blocks: list[Payload], chance: random.Random) -> Payload:
    """A press on one of the blocks, as Slack delivers it."""
    block = chance.choice([one for one in blocks if one["type"] == "actions" or "accessory" in one])
    element = block.get("accessory") or chance.choice(block["elements"])
    action = {**element, "block_id": block["block_id"], "action_ts": str(chance.random())}
    message = {"type": "message", "blocks": blocks, "app_id": "A1", "ts": "1.000000"}
    return {"type": "block_actions", "api_app_id": "A1", "actions": [action], "message": message}


def submission(origin: MessageOrigin, number: int) -> Payload:
    """The submission of a modal with one input, whose block has an id of its own."""
    view = origin.view(modals.resolve_modal(number, {"channel": "C1"}))
    return {"type": "view_submission", "api_app_id": "A1", "view": {"id": "V1", **view}}


def copied(payload: Payload, own: list[Payload], chance: random.Random) -> Payload:
    """The other bot's buttons in a message of ours, among our own blocks; or ours around the pressed one."""
    made = copy.deepcopy(payload)
    blocks = [*own, *made["message"]["blocks"]]
    chance.shuffle(blocks)
    made["message"]["blocks"] = blocks if chance.random() < 0.5 else own
    return made


def damaged(payload: Payload, chance: random.Random) -> Payload:
    """Without something that Slack may leave out: the message of an ephemeral answer, the action's own time, more."""
    made = copy.deepcopy(payload)
    for name in chance.sample(["message", "api_app_id", "container"], k=chance.randint(0, 3)):
        made.pop(name, None)
    return made


def payloads(origin: MessageOrigin, other: MessageOrigin, count: int) -> Iterator[Payload]:
    """Submissions and clicks of `origin`'s bot; some clicks are damaged or among blocks of `other`."""
    chance = random.Random(16)  # noqa: S311 - no secret
    for number in range(count):
        dress = chance.randrange(4)
        if dress == 0:
            yield submission(origin, number)
            continue
        pressed = click(message_blocks(origin, number), chance)
        if dress == 1:
            yield copied(pressed, message_blocks(other, number), chance)
        else:
            yield damaged(pressed, chance) if dress == 2 else pressed


async def test_gate_acts_on_no_click_of_another_environments_bot() -> None:
    prod = Bot("prod")

    for payload in payloads(STAGING, PROD, PAYLOADS):
        await prod.take(json.loads(json.dumps(payload)))
    await asyncio.sleep(0)

    assert prod.acted == []
    assert len(prod.refused) == PAYLOADS
    assert "bot of staging" in str(prod.refused[0])
    assert "bot of prod" in str(prod.refused[0])


async def test_gate_acts_on_every_click_of_its_own() -> None:
    prod = Bot("prod")
    own = list(payloads(PROD, PROD, 400))

    for payload in own:
        await prod.take(payload)

    assert len(prod.acted) == len(own)


async def test_gate_acts_on_what_a_former_release_posted() -> None:
    """Its blocks name no environment; Slack delivers them to their own app only."""
    prod = Bot("prod")
    old = MessageOrigin()
    pressed = click([{"block_id": "x1y2", **one} for one in message_blocks(old, 7)], random.Random(1))  # noqa: S311

    await prod.take(pressed)

    assert prod.acted == [pressed]


async def test_gate_refuses_a_press_in_another_apps_message() -> None:
    prod = Bot("prod")
    pressed = click(message_blocks(PROD, 7), random.Random(1))  # noqa: S311
    pressed["message"]["app_id"] = "A2"

    await prod.take(pressed)
    await asyncio.sleep(0)

    assert prod.acted == []
    assert len(prod.refused) == 1


def test_origin_marks_the_first_words_and_names_the_environment_in_each_block() -> None:
    blocks = STAGING.blocks([section("*Run 7*"), *actions([command_button("Health", "health")])])

    assert blocks[0]["text"]["text"] == "🟦 staging *Run 7*"
    assert all(one["block_id"].startswith("of.staging.") for one in blocks)
    assert len({one["block_id"] for one in blocks}) == len(blocks)
    assert STAGING.text("Run 7") == "🟦 staging Run 7"


@pytest.mark.parametrize("words", ["x" * 2990, "x" * 2989])
def test_origin_keeps_within_slacks_limit(words: str) -> None:
    """ "🟦 staging " is 10 characters: the longer one has no room for it, and the message's text has the mark."""
    shown = STAGING.blocks([section(words)])[0]["text"]["text"]

    assert len(shown) <= 3000
    assert shown.startswith("🟦") is (len(words) + len("🟦 staging ") <= 3000)


def test_origin_keeps_the_ids_and_the_metadata_of_a_dialog() -> None:
    view = modals.resolve_modal(7, {"channel": "C1"})
    shown = STAGING.view(view)

    own = [one["block_id"] for one in view["blocks"] if "block_id" in one]
    assert [one["block_id"] for one in shown["blocks"] if not one["block_id"].startswith("of.")] == own
    assert json.loads(shown["private_metadata"]) == {**json.loads(view["private_metadata"]), "environment": "staging"}
    assert named_environments({"type": "view_submission", "view": shown}) == {"staging"}


def test_origin_without_an_environment_changes_nothing() -> None:
    blocks = [section("Run 7")]

    assert MessageOrigin().blocks(blocks) == blocks
    assert MessageOrigin().text("Run 7") == "Run 7"
