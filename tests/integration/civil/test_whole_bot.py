"""A whole bot beside `civil`: adopted, connected to Slack, Railway and the API over HTTP, asked, and paging."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from bot.app import Bot
from bot.config.environment import Settings
from services.clients.postgres.pool import Connection
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.model import Message
from services.sandbox.slack.workspace import Workspace
from tests.integration.civil.api_stub import KEY, CivilApi
from tests.integration.civil.conftest import Civil
from tests.integration.civil.railway_stub import CivilRailway
from tests.integration.civil.test_golden import SEED
from tests.outside import first_message, wait_long
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

RULES = Path(__file__).parents[3] / "bot" / "config" / "alerts.toml"

pytestmark = pytest.mark.usefixtures("no_proxy")


@dataclass(frozen=True)
class Beside:
    """The workspace, where everything outside answers, and the database."""

    workspace: Workspace
    url: str
    civil: Civil

    async def type(self, line: str) -> None:
        assert await acting_as(self.workspace, model.OLIVIA.id).type(model.INCIDENTS_ID, line) is None

    def mine(self) -> list[Message]:
        """What the bot said in the incidents channel."""
        mine = [one for one in self.workspace.messages if one.user == self.workspace.bot.id]
        return [one for one in mine if one.channel == model.INCIDENTS_ID]

    async def wait_for(self, words: str) -> Message:
        """The first message of the bot in the incidents channel that has these words."""

        return await first_message(self.mine, lambda message: re.search(words, message.text) is not None)


@pytest.fixture
def civil(adopted: Civil) -> Civil:
    """Each test begins after the adoption."""
    return adopted


@pytest.fixture
async def beside(civil: Civil, as_owner: Connection) -> AsyncIterator[Beside]:
    """A system that is well and was adopted, and a local Slack; no bot yet."""
    await as_owner.execute(SEED.encode())
    workspace, railway = Workspace(), CivilRailway(civil.vintage)
    wait_long(workspace)
    await workspace.start()
    app = FastAPI(openapi_url=None)
    app.include_router(build_slack_router(workspace))

    @app.post("/railway")
    async def answer(request: Request) -> Response:
        found = railway.answer(httpx.Request("POST", "http://railway.test", content=await request.body()))
        return Response(found.content, found.status_code, media_type="application/json")

    app.mount("/dragonfly", CivilApi(civil.vintage).app())
    async with serve(app) as url:
        workspace.base_url = url
        yield Beside(workspace, url, civil)
        await workspace.close()


@asynccontextmanager
async def running_bot(beside: Beside, tmp_path: Path) -> AsyncIterator[Bot]:
    """It does not wait first, as after a gap in which nobody looked."""
    rules = tmp_path / "alerts.toml"
    text = RULES.read_text().replace("aftermath_s = 90", "aftermath_s = 1")
    rules.write_text(re.sub(r"(\[rules\.system\]\nseverity = .*\nwait_s = )60", r"\g<1>0", text))
    environ = {
        "SLACK_BOT_TOKEN": "xoxb-local",
        "SLACK_APP_TOKEN": "xapp-local",
        "SLACK_API_URL": f"{beside.url}/slack/api/",
        "ENVIRONMENT": "dev",
        "SUPABASE_MODE": "dev",
        "RAILWAY_API_URL": f"{beside.url}/railway",
        "RAILWAY_TOKEN": "t",
        "RAILWAY_PROJECT_ID": "p",
        "RAILWAY_ENVIRONMENT_ID": "e",
        "DRAGONFLY_API_BASE": f"{beside.url}/dragonfly",
        "DRAGONFLY_API_KEY": KEY,
        "DRAGONFLY_OPERATORS": model.OPERATORS.id,
        "SUPABASE_DB_URL": beside.civil.dsn("dragonfly_bot"),
        "DRAGONFLY_ALERTS": str(rules),
        "PORT": "0",
    }
    bot = Bot(replace(Settings.from_environment(environ), source_timeout_s=30.0))
    await bot.start()
    try:
        yield bot
    finally:
        await bot.stop()


@pytest.fixture
async def bot(beside: Beside, tmp_path: Path) -> AsyncIterator[Bot]:
    async with running_bot(beside, tmp_path) as bot:
        yield bot


@pytest.mark.usefixtures("bot")
async def test_health_typed_in_slack_is_right(beside: Beside) -> None:
    await beside.type("/dragonfly health")

    answer = await beside.wait_for("dev ")

    assert "dev is healthy" in answer.text
    await beside.type("/dragonfly heartbeats")
    await beside.wait_for(r"\*simplicity 1 of 1 alive\*")


@pytest.mark.usefixtures("bot")
async def test_a_worker_that_stops_beating_is_an_incident(beside: Beside, as_owner: Connection) -> None:
    await as_owner.execute(
        "UPDATE ops.worker_heartbeats SET last_seen_at = now() - interval '6 min'"
        " WHERE worker_type = 'simplicity_ingest_worker'"
    )

    page = await beside.wait_for("simplicity is down")

    assert "incident 1" in str(page.blocks)


async def test_another_system_than_the_adopted_one_is_an_incident_once(
    beside: Beside, as_owner: Connection, tmp_path: Path
) -> None:
    await as_owner.execute("UPDATE chatops.installation SET system = 'runbook'")

    async with running_bot(beside, tmp_path):
        page = await beside.wait_for("changes are disabled")
        await beside.type("/dragonfly heartbeats")
        await beside.wait_for(r"\*simplicity 1 of 1 alive\*")

    assert "the bot was installed for runbook" in page.text + str(page.blocks)
    assert len([one for one in beside.mine() if "changes are disabled" in one.text and one.thread_ts is None]) == 1
