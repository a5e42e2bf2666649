"""A whole bot beside `civil`: adopted, connected to Slack, Railway and the API over HTTP, asked, and paging."""

from __future__ import annotations

import asyncio
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
from services.domain.systems import CIVIL
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.model import Message
from services.sandbox.slack.workspace import Workspace
from tests.integration.civil.api_stub import KEY, CivilApi
from tests.integration.civil.conftest import Civil
from tests.integration.civil.railway_stub import OLD_SHA, CivilRailway
from tests.integration.civil.test_golden import SEED
from tests.outside import first_message, wait_long
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

RULES = Path(__file__).parents[3] / "bot" / "config" / "alerts.toml"

pytestmark = pytest.mark.usefixtures("no_proxy")


@dataclass(frozen=True)
class Beside:
    """The workspace, the stand-ins for Railway and the API, and the database."""

    workspace: Workspace
    url: str
    civil: Civil
    railway: CivilRailway
    api: CivilApi

    async def type(self, line: str) -> None:
        assert await acting_as(self.workspace, model.OLIVIA.id).type(model.INCIDENTS_ID, line) is None

    def mine(self) -> list[Message]:
        """Return the bot's messages in the incidents channel."""
        mine = [one for one in self.workspace.messages if one.user == self.workspace.bot.id]
        return [one for one in mine if one.channel == model.INCIDENTS_ID]

    async def agree(self, asked: Message) -> None:
        """Click *Approve* as an approver, on the message as it is now."""
        buttons = [one for block in asked.blocks for one in block.get("elements", ()) if one.get("type") == "button"]
        action = next(one["action_id"] for one in buttons if one["text"]["text"] == "Approve")
        assert await acting_as(self.workspace, model.ANN.id).click(asked.channel, asked.ts, action) is None

    async def wait_for(self, words: str) -> Message:
        """Return the bot's first message in the incidents channel whose text matches this pattern."""
        return await first_message(self.mine, lambda message: re.search(words, message.text) is not None)


@pytest.fixture
def civil(adopted: Civil) -> Civil:
    """A database after the adoption."""
    return adopted


@pytest.fixture
async def beside(civil: Civil, as_owner: Connection) -> AsyncIterator[Beside]:
    """A healthy adopted system and a local Slack; no bot yet."""
    await as_owner.execute(SEED.encode())
    workspace, railway, api = Workspace(), CivilRailway(civil.vintage), CivilApi(civil.vintage)
    wait_long(workspace)
    await workspace.start()
    app = FastAPI(openapi_url=None)
    app.include_router(build_slack_router(workspace))

    @app.post("/railway")
    async def answer(request: Request) -> Response:
        found = railway.answer(httpx.Request("POST", "http://railway.test", content=await request.body()))
        return Response(found.content, found.status_code, media_type="application/json")

    app.mount("/dragonfly", api.app())
    async with serve(app) as url:
        workspace.base_url = url
        yield Beside(workspace, url, civil, railway, api)
        await workspace.close()


@asynccontextmanager
async def running_bot(beside: Beside, tmp_path: Path) -> AsyncIterator[Bot]:
    """Start a bot that announces alerts at once, not after the pause that follows a gap (`aftermath_s`)."""
    rules = tmp_path / "alerts.toml"
    text = RULES.read_text().replace("aftermath_s = 90", "aftermath_s = 1")
    rules.write_text(re.sub(r"(\[rules\.system\]\nseverity = .*\nwait_s = )60", r"\g<1>0", text))
    environ = {
        "SLACK_BOT_TOKEN": "xoxb-local",
        "SLACK_APP_TOKEN": "xapp-local",
        "SIGN_AFTER_SECONDS": "300",  # the first message is the answer
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
        "DRAGONFLY_APPROVERS": model.APPROVERS.id,
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


@pytest.fixture
async def deploying(beside: Beside, as_owner: Connection) -> AsyncIterator[Beside]:
    """A system in which a deployment starts another worker, with heartbeats and a banner, and an API of that commit."""
    beating: dict[str, str] = {kind: f"{kind}-0a1b2c3d" for kind in CIVIL.worker_types}

    def start(short: str, sha: str) -> None:
        service = CIVIL.find_service(short)
        assert service is not None
        if service.worker_type is None:
            beside.api.sha = sha
            return
        worker_id = f"{service.worker_type}-{sha[:8]}"
        beating[service.worker_type] = worker_id
        beside.railway.logs[short] = [f"  Git SHA:       {sha[:8]}", f"  Worker ID:     {worker_id}"]

    async def beat() -> None:
        while True:
            for kind, worker_id in dict(beating).items():
                await as_owner.execute(
                    "UPDATE ops.worker_heartbeats SET status = 'stopped' WHERE worker_type = %s AND worker_id <> %s",
                    (kind, worker_id),
                )
                await as_owner.execute(
                    "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_seen_at)"
                    " VALUES (%s, %s, 'running', now())"
                    " ON CONFLICT (worker_id) DO UPDATE SET last_seen_at = now(), status = 'running'",
                    (worker_id, kind),
                )
            await asyncio.sleep(0.5)

    beside.railway.on_deploy = start
    task = asyncio.create_task(beat())
    yield beside
    task.cancel()


@pytest.mark.usefixtures("bot")
async def test_a_worker_is_rolled_back_to_its_end_and_proved_by_its_banner(deploying: Beside) -> None:
    await deploying.type(f"/dragonfly rollback simplicity to {OLD_SHA[:8]}")
    await deploying.agree(await deploying.wait_for("WAITING FOR APPROVAL"))

    done = await deploying.wait_for("DONE")

    assert "every step" in done.text + str(done.blocks)
    assert deploying.railway.made["simplicity"][0]["meta"]["commitHash"] == OLD_SHA


@pytest.mark.usefixtures("bot")
async def test_a_deploy_of_the_api_is_proved_only_where_the_system_reports_its_commit(deploying: Beside) -> None:
    new = "beef" * 10
    await deploying.type(f"/dragonfly deploy api {new}")
    await deploying.agree(await deploying.wait_for("WAITING FOR APPROVAL"))

    done = await deploying.wait_for("DONE")

    posted = done.text + str(done.blocks)
    assert ("every step" in posted) is (deploying.civil.vintage == "january")
    assert ("report its commit" in posted) is (deploying.civil.vintage == "december")


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("stores", [True, False], ids=["stores rows", "stores none"])
async def test_the_golden_path_ends_as_the_rows_do(deploying: Beside, as_owner: Connection, *, stores: bool) -> None:
    async def store(batch_id: str, name: str, content: bytes) -> dict[str, object]:
        rows = content.decode().strip().count("\n")
        valid = rows if stores else 0
        await as_owner.execute(
            "INSERT INTO ops.ingest_batches (id, source, filename, row_count_raw, row_count_valid, row_count_invalid,"
            " status, processed_at) VALUES (%s, 'simplicity', %s, %s, %s, %s, 'completed', now())",
            (batch_id, name, rows, valid, rows - valid),
        )
        await as_owner.execute(
            "INSERT INTO ops.intake_logs (batch_id, row_index, status, error_code) SELECT %s, row, %s, %s"
            " FROM generate_series(1, %s) AS row",
            (batch_id, "success" if stores else "error", None if stores else "DB_ERROR", rows),
        )
        return {"total_rows": rows, "valid_rows": valid, "error_rows": rows - valid}

    deploying.api.on_upload = store
    await deploying.type("/dragonfly golden-path")
    await deploying.agree(await deploying.wait_for("WAITING FOR APPROVAL"))

    done = await deploying.wait_for("DONE|FAILED")

    assert ("DONE" in done.text) is stores
    assert len(deploying.api.uploads) == 1
