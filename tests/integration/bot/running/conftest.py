"""Whole bots against the local Slack, a real database, and Railway and the API as small servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from bot.app import Bot
from bot.config.environment import Settings
from bot.config.timing import EvaluatorSettings, LeaseSettings, OutageSettings, RunSettings
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.model import Message, User
from services.sandbox.slack.workspace import Workspace
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import Outside, System
from tests.integration.bot.running.crew import Crew
from tests.integration.bot.runs.conftest import PATIENT, TOKEN
from tests.integration.bot.runs.conftest import pace as pace
from tests.integration.bot.runs.conftest import railway as railway
from tests.integration.bot.runs.conftest import wire as wire
from tests.outside import PATIENCE_S, first_message, wait_long
from tests.outside import mailbox as mailbox
from tests.outside import phone as phone
from tests.serving import no_proxy as no_proxy
from tests.serving import serve
from tests.wire import Wire

STALE_AFTER_S = 3.0
QUICK_BEATS = {"HEARTBEAT_STALE_AFTER_S": str(STALE_AFTER_S)}  # for a bot that is to notice a missing worker
# Polled often, so that a successor starts at once. Not too short: a send has to finish before the lease ends.
QUICK_LEASES = LeaseSettings(
    duration=timedelta(seconds=15), renew_every=timedelta(seconds=0.4), answer_within=timedelta(seconds=10)
)


@dataclass
class Slack:
    """The local Slack and its address."""

    workspace: Workspace
    url: str

    def seen(self, user: str = model.OLIVIA.id) -> list[Message]:
        """Return the bot's messages in the incidents channel that this user can see, threads included."""
        bot = self.workspace.bot.id
        messages = [message for message in self.workspace.messages if message.channel == model.INCIDENTS_ID]
        return [message for message in messages if message.user == bot and message.is_visible_to(user)]

    async def wait_for(
        self, wanted: Callable[[Message], bool] = bool, *, timeout_s: float = PATIENCE_S, user: User = model.OLIVIA
    ) -> Message:
        """Return the bot's first message that matches and that this user can see; by default any message matches."""
        return await first_message(lambda: self.seen(user.id), wanted, timeout_s=timeout_s)

    async def type(self, line: str) -> None:
        """Type a line as Olivia, in the incidents channel."""
        error = await acting_as(self.workspace, model.OLIVIA.id).type(model.INCIDENTS_ID, line)
        assert error is None


@pytest.fixture
async def slack(outside: Outside) -> AsyncIterator[Slack]:
    workspace = Workspace()
    wait_long(workspace)
    await workspace.start()
    app = FastAPI()
    app.include_router(build_slack_router(workspace))

    @app.post("/railway")
    async def railway(request: Request) -> Response:
        answer = await outside.answer_railway(httpx.Request("POST", "http://r", content=await request.body()))
        return Response(answer.content, answer.status_code, media_type="application/json")

    @app.get("/{path:path}")
    async def api(path: str) -> Response:
        answer = await outside.answer_api(httpx.Request("GET", f"http://api/{path}"))
        return Response(answer.content, answer.status_code, media_type="application/json")

    async with serve(app) as url:
        workspace.base_url = url
        yield Slack(workspace, url)
        await workspace.close()


StartBot = Callable[..., Awaitable[Bot]]


def environment(slack: Slack, dsn: str | None, **more: str) -> dict[str, str]:
    """The environment variables of a bot in Socket Mode."""
    return {
        "SLACK_BOT_TOKEN": "xoxb-local",
        "SLACK_APP_TOKEN": "xapp-local",
        "SLACK_API_URL": f"{slack.url}/slack/api/",
        "ENVIRONMENT": "dev",
        "SUPABASE_MODE": "dev",
        "RAILWAY_API_URL": f"{slack.url}/railway",
        "RAILWAY_TOKEN": "t",
        "RAILWAY_PROJECT_ID": "p",
        "RAILWAY_ENVIRONMENT_ID": "e",
        "DRAGONFLY_API_BASE": slack.url,
        "HEARTBEAT_STALE_AFTER_S": "300",  # no worker counts as silent during the test, so no alert interferes
        "SIGN_AFTER_SECONDS": "300",  # the first message is the answer, even on a busy machine
        "PORT": "0",
        "SUPABASE_DB_URL": dsn or "",
        **more,
    }


@pytest.fixture
async def start_bot(
    slack: Slack,
    database_urls: DatabaseUrls,  # noqa: ARG001 - the bots are to stop before the database goes
) -> AsyncIterator[StartBot]:
    """`await start_bot(dsn, VARIABLE="…")`: a bot in Socket Mode. All are stopped at the end."""
    bots: list[Bot] = []

    async def start(
        dsn: str | None,
        *,
        outage: OutageSettings = OutageSettings(),  # noqa: B008
        runs: RunSettings = RunSettings(),  # noqa: B008
        leases: LeaseSettings = QUICK_LEASES,
        evaluator: EvaluatorSettings = EvaluatorSettings(),  # noqa: B008
        source_timeout_s: float = 30.0,
        **more: str,
    ) -> Bot:
        environ = environment(slack, dsn, **more)
        settings = replace(Settings.from_environment(environ), leases=leases, outage=outage, runs=runs)
        bot = Bot(replace(settings, source_timeout_s=source_timeout_s, evaluator=evaluator))
        bots.append(bot)
        await bot.start()
        return bot

    yield start
    for bot in bots:
        await bot.stop()


@pytest.fixture
async def bot(start_bot: StartBot, database_urls: DatabaseUrls) -> Bot:
    """One bot with a database, Slack, Railway and the API."""
    return await start_bot(database_urls.bot)


@pytest.fixture
async def crew(system: System) -> AsyncIterator[Crew]:
    """An enforcement worker that sends heartbeats; `hire` starts more workers."""
    crew = Crew(system)
    crew.hire("enforcement-1", "enforcement_engine")
    yield crew
    await crew.end()


StartWhole = Callable[..., Awaitable[Bot]]


@pytest.fixture
async def start_whole(
    start_bot: StartBot, railway: LocalRailway, wire: Wire, database_urls: DatabaseUrls
) -> StartWhole:
    """`await start_whole(runs=…)`: a bot that changes the services of the local Railway."""

    async def start(runs: RunSettings = PATIENT, **more: str) -> Bot:
        return await start_bot(
            database_urls.bot,
            runs=runs,
            RAILWAY_API_URL=wire.url,
            RAILWAY_TOKEN=TOKEN,
            RAILWAY_PROJECT_ID=railway.place.project_id,
            RAILWAY_ENVIRONMENT_ID=railway.place.environment_id,
            DRAGONFLY_API_BASE=railway.edge_url,
            DRAGONFLY_OPERATORS=model.OPERATORS.id,
            DRAGONFLY_APPROVERS=model.APPROVERS.id,
            HEARTBEAT_STALE_AFTER_S="300",
            **{"SOAK_SECONDS": "1", "ALONE_AFTER_SECONDS": "1", **more},
        )

    return start
