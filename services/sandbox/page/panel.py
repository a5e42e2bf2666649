"""The panel of the local Railway: what runs, and the faults that a person can cause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import httpx
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from services.clients.tls import trusted_authorities
from services.sandbox import openai
from services.sandbox.environment import API_KEY
from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway, NotFoundError
from services.sandbox.railway.snapshot import Snapshot
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.workspace import Workspace


class DatabaseFaults(Protocol):
    """Starts and stops the database, which the local Railway does not run."""

    def postgres_running(self) -> bool:
        """True if the sandbox's Postgres accepts connections."""

    async def stop_postgres(self) -> None:
        """Stop it like an outage: at once, with connections cut. Safe to repeat."""

    async def start_postgres(self) -> None:
        """Start it again on the same data. Safe to repeat."""

    async def plant_migration(self) -> str:
        """Add a pending migration that drops a column; return its name. Safe to repeat."""


class BotFaults(Protocol):
    """Kills and starts the bot, which is not a service of the local Railway."""

    def bot_running(self) -> bool:
        """True if the process of any replica runs."""

    async def kill_bot(self) -> None:
        """Kill every replica, to simulate a crash. Safe to repeat."""

    def model(self) -> str:
        """The language model that answers questions; empty if the bot answers by rules alone."""

    async def switch_script(self, variables: Mapping[str, str]) -> None:
        """Restart the bot with the variables of the scripted model, or with none."""

    async def start_bot(self) -> None:
        """Start the replicas that do not run; does not wait until they are connected. Safe to repeat."""


LATENCIES_S = (0.0, 2.0, 10.0)  # delays of the API that can be chosen: none, noticeable, longer than every time limit
RATE_LIMITED_CALLS = 3
RATE_LIMIT_S = 5.0
FLOOD = {"/{} doctor": 100, "@{} health": 60}  # {line, with the app's name: how often one outsider sends it at once}
DEPLOYMENTS_SHOWN = 4
RINGS_SHOWN = 4
UPLOAD_TIMEOUT_S = 30.0


class Panel:
    """The values that the template reads."""

    deployments_shown = DEPLOYMENTS_SHOWN
    latencies_s = LATENCIES_S
    rings_shown = RINGS_SHOWN

    def __init__(
        self,
        railway: LocalRailway,
        phones: Phones,
        database: DatabaseFaults,
        bot: BotFaults,
        workspace: Workspace,
    ) -> None:
        self.railway = railway
        self.phones = phones
        self.database = database
        self.bot = bot
        self.workspace = workspace

    def snapshot(self) -> Snapshot:
        return self.railway.snapshot()

    def postgres_running(self) -> bool:
        return self.database.postgres_running()

    def bot_running(self) -> bool:
        return self.bot.bot_running()

    def model(self) -> str:
        """The language model that answers questions: the script, a real model, or empty for rules alone."""
        return self.bot.model()

    def connected(self) -> bool:
        """True if the bot has a Socket Mode connection."""
        return self.workspace.sockets.count > 0

    def clock(self, moment: datetime) -> str:
        """The moment as local time of this machine."""
        return moment.astimezone().strftime("%H:%M:%S")

    def age(self, moment: datetime) -> str:
        """The time since the moment, in the largest fitting unit."""
        seconds = max(int((datetime.now(UTC) - moment).total_seconds()), 0)
        for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
            if seconds >= size:
                return f"{seconds // size} {unit}"
        return f"{seconds} s"


class Replica(BaseModel):
    replica: str


class Restart(BaseModel):
    service: str


class Deploy(Restart):
    sha: str


class Upload(BaseModel):
    """A CSV file, as text."""

    name: str = Field(min_length=1, max_length=200)
    content: str = Field(max_length=5_000_000)


class Answer(BaseModel):
    """An acknowledgement on a ringing phone: the number of its ring."""

    ring: int


class Latency(BaseModel):
    seconds: float = Field(ge=0, le=60)


class Breaking:
    """The faults that a person can cause and undo. Each act returns once started; the panel shows the effect."""

    def __init__(self, panel: Panel) -> None:
        self._railway = panel.railway
        self._database = panel.database
        self._bot = panel.bot
        self._page_url = panel.workspace.base_url
        self._phones = panel.phones
        self._slack = panel.workspace.faults
        self._app = panel.workspace.app
        self._outsider = acting_as(panel.workspace, model.OTTO.id)
        self._floods: set[asyncio.Task[None]] = set()  # a task without a reference may be garbage-collected

    async def kill(self, act: Replica) -> None:
        _found(lambda: self._railway.kill(act.replica))

    async def freeze(self, act: Replica) -> None:
        _found(lambda: self._railway.freeze(act.replica))

    async def thaw(self, act: Replica) -> None:
        _found(lambda: self._railway.thaw(act.replica))

    async def start(self, act: Replica) -> None:
        _found(lambda: self._railway.start_replica(act.replica))

    async def restart(self, act: Restart) -> None:
        _found(lambda: self._railway.restart(act.service))

    async def fill_memory(self, act: Restart) -> dict[str, str]:
        """Start a memory ramp. Returns a message for the person, because the panel shows nothing until the limit."""
        _found(lambda: self._railway.fill_memory(act.service))
        return {
            "told": f"The memory of {act.service} climbs: the bot sees it within 30 s, the limit is met after 5 min"
        }

    async def deploy(self, act: Deploy) -> None:
        _found(lambda: self._railway.deploy(act.service, act.sha))

    async def slow_api(self, act: Latency) -> None:
        self._railway.set_latency(act.seconds)

    async def stop_postgres(self) -> None:
        await self._database.stop_postgres()

    async def start_postgres(self) -> None:
        await self._database.start_postgres()

    async def plant_migration(self) -> dict[str, str]:
        """Add a destructive migration. Returns a message for the person, because nothing is applied yet."""
        name = await self._database.plant_migration()
        return {"told": f"{name} drops a column and is pending: deploy the API, then type .sandbox/dragonfly migrate"}

    async def kill_bot(self) -> None:
        await self._bot.kill_bot()

    async def start_bot(self) -> None:
        await self._bot.start_bot()

    async def switch_script(self) -> dict[str, str]:
        """Switch the scripted model on or off; a real model, whose key is in the environment, is left alone."""
        if self._bot.model() not in ("", openai.SCRIPT):
            return {"told": "A real model answers: OPENAI_API_KEY is set in the demo's environment"}
        is_on = bool(self._bot.model())
        address = {"OPENAI_BASE_URL": f"{self._page_url}{openai.PATH}"}
        await self._bot.switch_script({} if is_on else openai.SCRIPT_VARIABLES | address)
        words = "off: questions are answered by rules" if is_on else "on: it is a script, not a language model"
        return {"told": f"The bot starts again with the scripted model {words}"}

    async def rate_limit_slack(self) -> dict[str, str]:
        """Rate-limit the bot's next calls. Returns a message for the person, because the page shows no change."""
        self._slack.plant("*", FaultKind.RATE_LIMIT, times=RATE_LIMITED_CALLS, seconds=RATE_LIMIT_S)
        return {"told": f"Slack refuses the bot's next {RATE_LIMITED_CALLS} calls, for {RATE_LIMIT_S:g} s each"}

    async def upload(self, act: Upload) -> dict[str, str]:
        """Upload a file through the API, as an outside sender would; return the API's answer."""
        file = {"file": (act.name, act.content.encode(), "text/csv")}
        headers = {"X-DRAGONFLY-API-KEY": API_KEY}
        async with httpx.AsyncClient(
            base_url=self._railway.edge_url, timeout=UPLOAD_TIMEOUT_S, trust_env=False, verify=trusted_authorities()
        ) as api:
            try:
                answer = await api.post("/api/v1/intake/upload", files=file, headers=headers)
            except httpx.HTTPError as error:
                return {"told": f"{act.name} was not uploaded: the API does not answer ({type(error).__name__})"}
        return {"told": _upload_answer(act.name, answer)}

    async def acknowledge(self, act: Answer) -> dict[str, str]:
        """Acknowledge on the phone, as in a pager's app."""
        problem = await self._phones.answer(act.ring)
        return {"problem": problem} if problem else {}

    async def flood(self) -> dict[str, str]:
        """A person without permissions sends many commands at once; returns before the bot has answered."""
        flooding = asyncio.create_task(self._ask_all())
        self._floods.add(flooding)
        flooding.add_done_callback(self._floods.discard)
        asked = " and ".join(f"{times} times {line}" for line, times in self._flood())
        return {"told": f"{model.OTTO.real_name} asks {asked}"}

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as asking:
            for line, times in self._flood():
                for _ in range(times):
                    asking.create_task(self._outsider.type(self._app.channel, line))

    def _flood(self) -> list[tuple[str, int]]:
        return [(line.format(self._app.command[1:]), times) for line, times in FLOOD.items()]


def _upload_answer(name: str, answer: httpx.Response) -> str:
    if answer.status_code == 202:
        return f"{name}: {answer.json()['rows']} rows stored as batch {answer.json()['batch_id'][:8]}"
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"{name} was not stored: the API answered {answer.status_code}"
    return f"{name}: {error['what']}: {error['why']}. {error['what_next']}"


def build_panel_router(panel: Panel) -> APIRouter:
    """One route per button."""
    router = APIRouter(prefix="/page/break")
    breaking = Breaking(panel)
    on_replicas = (breaking.kill, breaking.freeze, breaking.thaw, breaking.start)
    around = (breaking.acknowledge, breaking.upload, breaking.slow_api)
    on_postgres = (breaking.stop_postgres, breaking.start_postgres, breaking.plant_migration)
    on_bot = (breaking.rate_limit_slack, breaking.flood, breaking.kill_bot, breaking.start_bot, breaking.switch_script)
    for act in (*on_replicas, breaking.restart, breaking.fill_memory, breaking.deploy, *around, *on_postgres, *on_bot):
        router.add_api_route(f"/{act.__name__.replace('_', '-')}", act, methods=["POST"])
    return router


def _found(act: Callable[[], object]) -> None:
    try:
        act()
    except NotFoundError as exc:
        raise HTTPException(404, f"There is {exc}: the panel may be a moment old") from exc
