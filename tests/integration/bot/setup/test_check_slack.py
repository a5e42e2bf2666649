"""`check-slack` against the local Slack: twelve faults of a setup, each named with the click that fixes it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

import aiohttp
import pytest
from fastapi import FastAPI

from bot.config.environment import Settings
from bot.setup.check_slack import check_setup
from bot.types import Answer
from services.domain.errors import OperatorError
from services.domain.status import Status
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.workspace import Workspace
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

PATIENCE_S = 60.0


@dataclass
class Person:
    """Olivia at the terminal: she does in Slack what the lines ask, and presses Enter when Slack has delivered it."""

    workspace: Workspace
    is_person: bool = True
    shown: list[str] = field(default_factory=list)
    saw: str | None = None  # the message that Slack showed after the command

    def show(self, text: str) -> None:
        self.shown.append(text)

    async def ask(self, question: str, *, secret: bool = False) -> str:  # noqa: ARG002
        return "1" if self.saw and "not a valid command" in self.saw else "2"

    async def enter(self) -> None:
        code = re.search(r"check (\w{4})", "\n".join(self.shown))
        assert code is not None
        olivia = acting_as(self.workspace, model.OLIVIA.id)
        for message in self.workspace.messages_for(model.OLIVIA.id, model.INCIDENTS_ID):
            if message.user == self.workspace.bot.id:
                await olivia.click(model.INCIDENTS_ID, message.ts, "setup_check")
        self.saw = await olivia.type(model.INCIDENTS_ID, f"/dragonfly check {code[1]}")
        await olivia.type(model.INCIDENTS_ID, f"@dragonfly check {code[1]}")
        direct = self.workspace.direct_channel(model.OLIVIA.id)
        await olivia.type(direct.id, f"check {code[1]}")
        while self.workspace.is_delivering:
            await asyncio.sleep(0.01)


@dataclass
class Setup:
    workspace: Workspace
    environ: dict[str, str]
    clock_ahead_s: float = 0.0

    async def check(self, *, is_live: bool = True) -> Answer:
        now = lambda: time.time() + self.clock_ahead_s  # noqa: E731
        settings = Settings.from_environment(self.environ)
        return await check_setup(settings, Person(self.workspace), is_live=is_live, now=now, within_s=PATIENCE_S)


@contextlib.asynccontextmanager
async def local_setup() -> AsyncIterator[Setup]:
    """A correctly configured app, in its own workspace."""
    workspace = Workspace()
    app = FastAPI()
    app.include_router(build_slack_router(workspace))
    async with serve(app) as url:
        workspace.base_url = url
        yield Setup(
            workspace,
            {
                "SLACK_BOT_TOKEN": "xoxb-local",
                "SLACK_APP_TOKEN": "xapp-1-A0DRAGONFLY-1-local",
                "SLACK_API_URL": f"{url}/slack/api/",
                "DRAGONFLY_OPERATORS": f"{model.OPERATORS.id},{model.OLIVIA.id}",
                "DRAGONFLY_APPROVERS": model.APPROVERS.id,
            },
        )
        await workspace.close()


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with local_setup() as one:
        yield one


def problems(answer: Answer) -> dict[str, str]:
    """Return `{check: status, title and detail}` of every finding that is not ok."""
    return {
        str(one["check"]): f"{one['status']} {one['title']} {one['detail']}"
        for one in cast(dict[str, list[dict[str, object]]], answer.data)["findings"]
        if one["status"] != "ok"
    }


def lacks_scope(setup: Setup) -> None:
    setup.workspace.setup.scopes -= {"reactions:read"}


def is_not_member(setup: Setup) -> None:
    setup.workspace.channels[model.INCIDENTS_ID].members.remove(model.BOT.id)


def is_archived(setup: Setup) -> None:
    setup.workspace.channels[model.INCIDENTS_ID].is_archived = True


def has_wrong_app_token(setup: Setup) -> None:
    setup.workspace.setup.app_token_of = "A0SOMEOTHER"
    setup.environ["SLACK_APP_TOKEN"] = "xapp-local"  # only Slack's hello message names the app of this token


def has_events_off(setup: Setup) -> None:
    setup.workspace.subscribed_events = frozenset()


def has_interactivity_off(setup: Setup) -> None:
    setup.workspace.setup.has_interactivity = False


def has_no_command(setup: Setup) -> None:
    setup.workspace.commands = frozenset()


def shares_command(setup: Setup) -> None:
    setup.workspace.setup.owns_command = False


def has_full_sockets(setup: Setup) -> None:
    setup.workspace.sockets.max_connections = 0


def has_wrong_clock(setup: Setup) -> None:
    setup.clock_ahead_s = -400.0


def has_unreadable_group(setup: Setup) -> None:
    del setup.workspace.groups[model.APPROVERS.id]


def has_closed_direct_messages(setup: Setup) -> None:
    setup.workspace.setup.has_messages_tab = False


Plant = Callable[[Setup], None]
# The fault, the finding that names it, and words of the click that fixes it.
TWELVE: tuple[tuple[Plant, str, str], ...] = (
    (lacks_scope, "slack.scopes", "Bot Token Scopes → Add reactions:read, then Reinstall to Workspace"),
    (is_not_member, "slack.channel", "type `/invite @dragonfly` in #dragonfly-incidents"),
    (is_archived, "slack.channel", "Settings → Unarchive"),
    (has_wrong_app_token, "slack.app_token", "open A0DRAGONFLY: Basic Information → App-Level Tokens → Generate"),
    (has_events_off, "slack.events", "Event Subscriptions → switch Enable Events on"),
    (has_interactivity_off, "slack.interactivity", "Interactivity & Shortcuts → switch Interactivity on"),
    (has_no_command, "slack.command", "Slash Commands → Create New Command → /dragonfly"),
    (shares_command, "slack.command", "another app has /dragonfly: remove its command"),
    (has_full_sockets, "slack.connections", "App-Level Tokens → Revoke"),
    (has_wrong_clock, "slack.clock", "s behind Slack's switch time synchronization on"),
    (has_unreadable_group, "slack.group.S0APPROVERS", "Copy group ID"),
    (has_closed_direct_messages, "slack.direct", "App Home → Show Tabs → switch Messages Tab on"),
)


async def test_check_slack_names_each_of_twelve_faults_with_its_click(setup: Setup) -> None:
    """One after the other, each on an otherwise correct setup."""
    well = problems(await setup.check())
    found: dict[str, dict[str, str]] = {}
    for plant, _, _ in TWELVE:
        async with local_setup() as one:
            plant(one)
            found[plant.__name__] = problems(await one.check())

    assert well == {}
    for plant, check, click in TWELVE:
        assert check in found[plant.__name__], (plant.__name__, found[plant.__name__])
        assert click in found[plant.__name__][check]
    alone = {name: set(one) for name, one in found.items()}
    # Other findings that are not ok are consequences of the fault: nothing correct is called wrong.
    assert alone.pop("is_not_member") == {"slack.channel", "slack.post", "slack.interactivity", "slack.events"}
    assert alone.pop("is_archived") == {"slack.channel", "slack.post", "slack.interactivity"}
    assert alone.pop("has_events_off") == {"slack.events", "slack.direct"}
    assert all(len(one) == 1 for one in alone.values()), alone


async def test_check_slack_leaves_nothing_in_the_channel_and_shows_no_token(setup: Setup) -> None:
    answer = await setup.check()

    bot = setup.workspace.bot.id
    left = [m for m in setup.workspace.messages_for(model.OLIVIA.id, model.INCIDENTS_ID) if m.user == bot]
    assert [m.text for m in left if m.visible_to is None] == []
    assert answer.status is Status.OK
    assert answer.private
    assert "xoxb" not in str(answer)
    assert "xapp" not in str(answer)


async def test_check_slack_tries_nothing_while_the_bot_is_connected(setup: Setup) -> None:
    async with aiohttp.ClientSession() as session:
        ticket = setup.workspace.sockets.new_ticket()
        async with session.ws_connect(f"{setup.workspace.base_url}/slack/link/?ticket={ticket}") as running:
            await running.receive()
            found = problems(await setup.check())

    assert list(found) == ["slack.connections"]
    assert "1 other connection of this app is open" in found["slack.connections"]
    assert "stop the bot" in found["slack.connections"]
    assert setup.workspace.calls_of("chat.postMessage") == []


async def test_check_slack_is_unknown_when_no_person_tried(setup: Setup) -> None:
    """A missing delivery is a fault only if the person was there, as another delivery shows."""

    class Absent(Person):
        async def enter(self) -> None:
            return

    settings = Settings.from_environment(setup.environ)
    answer = await check_setup(settings, Absent(setup.workspace), is_live=True, within_s=PATIENCE_S)

    assert answer.status is Status.UNKNOWN
    assert list(problems(answer)) == ["slack.exchange"]


async def test_check_slack_without_live_connects_nowhere_and_posts_nothing(setup: Setup) -> None:
    answer = await setup.check(is_live=False)

    assert answer.status is Status.OK
    assert setup.workspace.calls_of("chat.postMessage") == []
    assert "SLACK_APP_TOKEN" not in str(problems(answer))


async def test_check_slack_names_a_refused_bot_token_and_asks_nothing_else(setup: Setup) -> None:
    setup.workspace.faults.plant("auth.test", FaultKind.REFUSED, code="account_inactive")

    found = problems(await setup.check())

    assert list(found) == ["slack.token"]
    assert "account_inactive" in found["slack.token"]
    assert "Install to Workspace" in found["slack.token"]


async def test_check_slack_is_unknown_while_slack_is_away(setup: Setup) -> None:
    setup.workspace.faults.is_down = True

    answer = await setup.check()

    assert answer.status is Status.UNKNOWN


async def test_check_slack_live_needs_socket_mode(setup: Setup) -> None:
    del setup.environ["SLACK_APP_TOKEN"]
    setup.environ["SLACK_SIGNING_SECRET"] = "local-secret"

    with pytest.raises(OperatorError, match="Socket Mode"):
        await setup.check()


@dataclass
class Disconnected(Person):
    """A person whose press arrives; then Slack ends the connection."""

    async def enter(self) -> None:
        olivia = acting_as(self.workspace, model.OLIVIA.id)
        for message in self.workspace.messages_for(model.OLIVIA.id, model.INCIDENTS_ID):
            if message.user == self.workspace.bot.id:
                await olivia.click(model.INCIDENTS_ID, message.ts, "setup_check")
        while not any("button: arrived" in line for line in self.shown):
            await asyncio.sleep(0.01)
        await self.workspace.sockets.close()
        await asyncio.Event().wait()


async def test_check_slack_is_unknown_when_the_connection_ends_too_early(setup: Setup) -> None:
    settings, person = Settings.from_environment(setup.environ), Disconnected(setup.workspace)

    answer = await check_setup(settings, person, is_live=True, now=time.time, within_s=PATIENCE_S)

    found = problems(answer)
    assert found.keys() == {"slack.command", "slack.events", "slack.direct"}
    for one in found.values():
        assert one.startswith("unknown"), found
        assert "ended too early" in one
