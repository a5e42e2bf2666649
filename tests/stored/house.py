"""One bot with a local Slack and a local Railway, whose states can be stored and loaded.

Everything that the dump and its tests use of the product is imported here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from fastapi import FastAPI

from bot.app import Bot
from bot.config.environment import Settings
from bot.config.timing import EvaluatorSettings, RunSettings
from playbooks.plan import decode_plan
from playbooks.steps import STEPS
from services.sandbox.railway.control import build_railway_router as railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import actor, model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.blocks import find_element
from services.sandbox.slack.control import build_slack_router as slack_router
from services.sandbox.slack.delivery import Envelope, EnvelopeKind
from services.sandbox.slack.model import Message, User
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.runs.conftest import PACE, TOKEN, local_services
from tests.outside import PATIENCE_S, Phone, open_phone, wait_long
from tests.serving import serve
from tests.wire import Wire

RUNS = RunSettings(
    lease_s=3.0,
    renew_every_s=0.5,
    act_lease_s=20.0,
    call_timeout_s=15.0,
    check_every_s=0.3,
    poll_every_s=0.5,
    patience_s=15.0,
    settle_s=0.6,
    confirm_s=15.0,
    hand_over_s=1.0,
)
STEP_KINDS = frozenset(STEPS)
PATIENT = replace(RUNS, patience_s=60.0, confirm_s=60.0)  # a slow machine must not end a run
WAIT_S = 2 * PATIENCE_S  # a run starts processes, and waits for them
OLIVIA, ANN, BEN = model.OLIVIA, model.ANN, model.BEN
ONCALL = f"""version = 1
[people.ann]
slack = "{ANN.id}"
webhook = "ann"
[people.ben]
slack = "{BEN.id}"
webhook = "ann"
[[levels]]
call = ["ann"]
wait = "30m"
[[levels]]
call = ["ben"]
wait = "30m"
"""


def key_of(message: Message) -> str:
    """The outbox key in the message's metadata; "" if there is none."""
    return str(((message.metadata or {}).get("event_payload") or {}).get("key", ""))


@dataclass
class House:
    """A running bot and its surroundings. `environ`: the bot's environment."""

    workspace: Workspace
    railway: LocalRailway
    wire: Wire
    phone: Phone
    environ: dict[str, str] = field(repr=False)
    owner: psycopg.AsyncConnection[Any] = field(repr=False)
    _bots: list[Bot] = field(default_factory=list)

    async def start_bot(self, runs: RunSettings = PATIENT) -> None:
        settings = replace(Settings.from_environment(self.environ), runs=runs)
        bot = Bot(replace(settings, source_timeout_s=30.0, evaluator=EvaluatorSettings(railway_every_s=1.0)))
        self._bots.append(bot)
        await bot.start()

    async def stop_bots(self) -> None:
        while self._bots:
            await self._bots.pop().stop()

    async def sql(self, query: Any, *arguments: object) -> list[Any]:
        """Run a query as the database's owner."""
        cur = await self.owner.execute(query, arguments or None)
        return await cur.fetchall() if cur.description else []

    def messages(self, key: str | None = None, user: User = OLIVIA) -> list[Message]:
        """The bot's messages that this person sees, or those of one outbox key."""
        mine = [one for one in self.workspace.messages if one.user == model.BOT.id and one.is_visible_to(user.id)]
        return mine if key is None else [one for one in mine if key_of(one) == key]

    async def wait_for(
        self, wanted: Callable[[Message], bool], *, user: User = OLIVIA, timeout_s: float = WAIT_S
    ) -> Message:
        """Wait for the bot's first matching message that this person sees."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for message in self.messages(user=user):
                if wanted(message):
                    return message
            await asyncio.sleep(0.05)
        raise AssertionError([(key_of(one), one.text) for one in self.messages(user=user)][-9:])

    async def message(self, key: str, words: str = "") -> Message:
        """Wait for the message of this outbox key that contains these words, in its text or its blocks."""
        return await self.wait_for(lambda one: key_of(one) == key and words in one.text + shown(one))

    async def type(self, line: str, user: User = OLIVIA) -> None:
        """Type a line in the incidents channel."""
        error = await acting_as(self.workspace, user.id).type(model.INCIDENTS_ID, line)
        assert error is None, error

    async def ask(self, line: str, user: User = OLIVIA) -> Message:
        """Type a command; return its answer, which only this person sees."""
        before = {one.ts for one in self.messages(user=user)}
        await self.type(f"/dragonfly {line}", user)
        return await self.wait_for(lambda one: one.ts not in before and not key_of(one), user=user)

    async def click(self, message: Message, action_id: str, user: User) -> None:
        error = await acting_as(self.workspace, user.id).click(message.channel, message.ts, action_id)
        assert error is None, error

    async def click_as_shown(self, message: Message, action_id: str, user: User) -> None:
        """Click on a message as a person's client shows it, even if the bot has edited it since."""
        found = find_element(message.blocks, action_id, None)
        assert found is not None, shown(message)
        action = actor.action_of(self.workspace, *found, None)
        payload = actor.message_action(self.workspace, user, message, action, None)
        await self.workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))

    async def fill_in(self, user: User, **answers: str) -> None:
        """Submit this person's open modal."""
        async with asyncio.timeout(WAIT_S):
            while (view := self.workspace.modal_for(user.id)) is None or "submit" not in view.content:
                await asyncio.sleep(0.05)
        given: dict[str, dict[str, Any]] = {name: {name: value} for name, value in answers.items()}
        errors = await acting_as(self.workspace, user.id).submit(view.id, given)
        assert errors == {}, errors

    async def until(self, query: str, wanted: object, *arguments: object) -> None:
        """Wait until the query's first value is `wanted`."""
        deadline = time.monotonic() + WAIT_S
        while (rows := await self.sql(query, *arguments)) == [] or rows[0][0] != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"{query} {arguments}: {rows}, not {wanted}")
            await asyncio.sleep(0.05)

    async def until_run(self, run_id: int, *states: str) -> str:
        """Wait until the run is in one of these states; return it."""
        deadline = time.monotonic() + WAIT_S
        while True:
            [(state, outcome)] = await self.sql("SELECT state::text, outcome FROM chatops.runs WHERE id = %s", run_id)
            if state in states:
                return str(state)
            if time.monotonic() > deadline:
                steps = (
                    "SELECT step->>'kind', state::text, note FROM chatops.run_steps WHERE run_id = %s ORDER BY position"
                )
                raise AssertionError(f"run {run_id}: {state}, {outcome}: {await self.sql(steps, run_id)}")
            await asyncio.sleep(0.05)


def hash_of_plan(stored: dict[str, Any]) -> str:
    """The hash of a stored plan, as the current code computes it."""
    return decode_plan(stored).hash


def shown(message: Message) -> str:
    """The message's blocks as text."""
    return json.dumps(message.blocks, ensure_ascii=False)


def button(message: Message, label: str) -> str:
    """The action id of the button with this label."""
    elements = [one for block in message.blocks for one in block.get("elements", []) if isinstance(one, dict)]
    labels = {one["text"]["text"]: str(one["action_id"]) for one in elements if one.get("type") == "button"}
    return labels[label]


@contextlib.asynccontextmanager
async def open_house(
    directory: Path, *, owner_dsn: str, app_dsn: str, bot_dsn: str, left: Path | None = None, **more: str
) -> AsyncIterator[House]:
    """Start the bot and its surroundings. `left`: a folder with a stored `railway.json` and `slack.json`; None: new
    ones."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("railway.json", "slack.json"):
        if left is not None:
            shutil.copy(left / name, directory / name)
    (directory / "oncall.toml").write_text(ONCALL, encoding="utf-8")
    services = local_services(app_dsn)
    railway = LocalRailway(services, directory=directory, working_directory=directory, token=TOKEN, pace=PACE)
    workspace = Workspace(directory)
    wait_long(workspace)
    app = FastAPI()
    app.include_router(railway_router(railway, limit_per_hour=10**9))
    app.include_router(slack_router(workspace))
    async with contextlib.AsyncExitStack() as stack:
        await railway.start()
        stack.push_async_callback(railway.stop)
        await railway.wait_until_serving(60)
        await workspace.start()
        stack.push_async_callback(workspace.close)
        workspace.base_url = url = await stack.enter_async_context(serve(app))
        wire = await stack.enter_async_context(Wire(f"{url}/railway/graphql/v2").serve())
        phone = await stack.enter_async_context(open_phone())
        environ = {
            "SLACK_BOT_TOKEN": "xoxb-local",
            "SLACK_APP_TOKEN": "xapp-local",
            "SIGN_AFTER_SECONDS": "300",  # the first message is the answer
            "SLACK_API_URL": f"{url}/slack/api/",
            "ENVIRONMENT": "prod",
            "SUPABASE_MODE": "prod",
            "SUPABASE_DB_URL": bot_dsn,
            "RAILWAY_API_URL": wire.url,
            "RAILWAY_TOKEN": TOKEN,
            "RAILWAY_PROJECT_ID": railway.place.project_id,
            "RAILWAY_ENVIRONMENT_ID": railway.place.environment_id,
            "DRAGONFLY_API_BASE": railway.edge_url,
            "DRAGONFLY_ROLLBACK_DB_URL": owner_dsn,
            "DRAGONFLY_OPERATORS": model.OPERATORS.id,
            "DRAGONFLY_APPROVERS": model.APPROVERS.id,
            "DRAGONFLY_ONCALL": str(directory / "oncall.toml"),
            "PAGER_WEBHOOK_URL_ANN": phone.url,
            "HEARTBEAT_STALE_AFTER_S": "300",  # so that no worker is missed
            "DRAGONFLY_API_KEY": "made-up-key-of-the-api",
            "SOAK_SECONDS": "1",
            "PORT": "0",
            **more,
        }
        owner = await stack.enter_async_context(await psycopg.AsyncConnection.connect(owner_dsn, autocommit=True))
        house = House(workspace, railway, wire, phone, environ, owner)
        stack.push_async_callback(house.stop_bots)
        yield house
