"""The surroundings of bots as processes: the local Slack, a real database, and Railway and the API as small servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import FastAPI, Request, Response

from bot.config.environment import Settings
from services.clients.postgres.queries import SQL_DIRECTORY
from services.domain.secrets import Secret
from services.sandbox import environment
from services.sandbox.environment import Addresses, BotProcess, Timing
from services.sandbox.postgres.server import PostgresServer, SandboxDatabase, prepare_cluster
from services.sandbox.slack.control import build_router
from services.sandbox.slack.workspace import Workspace
from services.sandbox.web_server import WebServer, find_free_port
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import SHA, Outside
from tests.serving import no_proxy as no_proxy

ROOT = Path(__file__).resolve().parents[2]
SOCKETS_A_BOT = 2
START_WITHIN_S = 30.0


@dataclass
class Stage:
    """The surroundings of a bot. `workspace`: its Slack; `bare_workspace`: another one on the same server."""

    url: str
    workspace: Workspace
    bare_workspace: Workspace
    outside: Outside
    database: DatabaseUrls
    directory: Path
    bots: list[BotProcess] = field(default_factory=list)

    @property
    def bare_api_url(self) -> str:
        """The Web API of `bare_workspace`."""
        return f"{self.bare_workspace.base_url}/slack/api/"

    def variables(self, *, stale_after_s: float = 300.0) -> dict[str, str]:
        """Return the bot's environment as the sandbox makes it."""
        urls = self.database
        variables = environment.bot_variables(
            SandboxDatabase(Secret(urls.owner), Secret(urls.app), Secret(urls.bot)),
            Addresses(page=self.url, api=self.url),
            project_id="p",
            environment_id="e",
            git_sha=SHA,
            port=find_free_port(),
            timing=Timing(heartbeat_stale_after_s=stale_after_s, sign_after_s=60.0),
            sql_directory=SQL_DIRECTORY,
        )
        return {**variables, "RAILWAY_API_URL": f"{self.url}/railway"}

    def settings(self) -> Settings:
        return Settings.from_environment(self.variables())

    async def start_bot(self, *, stale_after_s: float = 300.0, **more: str) -> BotProcess:
        """Start `python -m bot` with these extra variables; return when its sockets are open."""
        wanted = self.workspace.sockets.count + SOCKETS_A_BOT
        log_file = self.directory / f"bot-{len(self.bots)}.log"
        variables = self.variables(stale_after_s=stale_after_s) | more
        bot = BotProcess(variables, working_directory=ROOT, log_file=log_file)
        self.bots.append(bot)
        await bot.start()
        async with asyncio.timeout(START_WITHIN_S):
            while self.workspace.sockets.count < wanted:
                assert bot.is_running, bot.last_words()
                await asyncio.sleep(0.05)
        return bot

    async def beat(self, worker_id: str, worker_type: str) -> float:
        """Store a worker's heartbeat; return its time, in Unix seconds of the database's clock."""
        async with await psycopg.AsyncConnection.connect(self.database.superuser, autocommit=True) as conn:
            found = await conn.execute(_BEAT, (worker_id, worker_type))
            row = await found.fetchone()
        assert row is not None
        return float(row[0])


_BEAT = """
INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status) VALUES (%s, %s, 'running')
ON CONFLICT (worker_id) DO UPDATE SET last_heartbeat_at = now()
RETURNING extract(epoch FROM last_heartbeat_at)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SandboxDatabase]:
    """A separate Postgres server with fsync and autovacuum."""
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    try:
        yield prepare_cluster(server)
    finally:
        server.erase()


@pytest.fixture
async def stage(outside: Outside, database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Stage]:
    workspace, bare = Workspace(), Workspace()
    server = WebServer(0)
    workspace.base_url, bare.base_url = server.url, f"{server.url}/bare"
    await workspace.start()
    await bare.start()
    stage = Stage(server.url, workspace, bare, outside, database_urls, tmp_path)
    await server.serve(_build_app(stage))
    try:
        yield stage
    finally:
        await asyncio.gather(*(bot.stop() for bot in stage.bots))
        await workspace.close()
        await bare.close()
        await server.stop()


@pytest.fixture
def outside() -> Outside:
    return Outside(health={"environment": "dev"})  # as in the bots' settings: no problem


def _build_app(stage: Stage) -> FastAPI:
    app, bare = FastAPI(), FastAPI()
    bare.include_router(build_router(stage.bare_workspace))
    app.mount("/bare", bare)
    app.include_router(build_router(stage.workspace))

    @app.post("/railway")
    async def railway(request: Request) -> Response:
        answer = await stage.outside.answer_railway(httpx.Request("POST", "http://r", content=await request.body()))
        return Response(answer.content, answer.status_code, media_type="application/json")

    @app.get("/{path:path}")
    async def api(path: str) -> Response:
        answer = await stage.outside.answer_api(httpx.Request("GET", f"http://api/{path}"))
        return Response(answer.content, answer.status_code, media_type="application/json")

    return app
