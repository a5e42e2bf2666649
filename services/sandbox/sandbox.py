"""Starts and stops the whole world of the bot on one machine, then the bot itself."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.clients.dragonfly_api.client import DragonflyApi
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from services.sandbox import environment
from services.sandbox.database import LocalDatabase
from services.sandbox.environment import Addresses, BotProcess, BotReplicas, Timing, write_terminal
from services.sandbox.openai import build_router as build_openai
from services.sandbox.page.app import build_router as build_page
from services.sandbox.page.panel import BotFaults, DatabaseFaults
from services.sandbox.phone.phones import MailServer, Phones
from services.sandbox.phone.phones import build_router as build_pager
from services.sandbox.railway.control import build_router as build_railway
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import newest_good
from services.sandbox.railway.replica import spawn
from services.sandbox.slack.control import build_router as build_slack
from services.sandbox.slack.workspace import Workspace
from services.sandbox.web_server import WebServer, find_free_port, serve_own_hosts_only


def build_app(
    workspace: Workspace,
    railway: LocalRailway,
    phones: Phones,
    database: DatabaseFaults,
    bot: BotFaults,
    commands: Sequence[tuple[str, str, str]],
    shortcuts: Sequence[tuple[str, str]] = (),
) -> FastAPI:
    """Everything that the bot, the tests and a browser reach over HTTP. `commands` are `(name, usage, summary)`."""
    app = FastAPI(title="Dragonfly sandbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(build_slack(workspace))
    app.include_router(build_railway(railway))
    app.include_router(build_openai())
    app.include_router(build_pager(phones))
    app.include_router(build_page(workspace, railway, phones, database, bot, commands, shortcuts))
    app.add_exception_handler(OperatorError, _show_error)
    serve_own_hosts_only(app)
    return app


async def _show_error(_request: Request, error: Exception) -> JSONResponse:
    """In the shape that the page shows."""
    return JSONResponse({"detail": str(error)}, status_code=409)


ROOT = Path(__file__).resolve().parents[2]  # the folder with our packages: the checkout, or a wheel's site-packages
DEMO_CSV = Path(__file__).parent / "data" / "demo_batch.csv"
BOT_CONNECTIONS = 2  # the bot opens two Socket Mode connections
READY_WITHIN_S = 60.0
# What the bot's manifest asks for; a test compares the two.
SUBSCRIBED_EVENTS = frozenset({"app_mention", "app_home_opened", "message.im", "reaction_added", "reaction_removed"})
SHORTCUTS = (("incident.escalate_this", "Escalate this"), ("incident.add_todo", "Add a follow-up"))
REPORT = "Run `make test`: something in the checkout is broken."

Progress = Callable[[str], None]  # one line for the person who waits


@dataclass(frozen=True)
class SandboxSettings:
    """`port`: the page's, or the next free one; 0 takes any. `database_url`: that database instead of our own."""

    directory: Path
    port: int = 8800
    bots: int = 1
    timing: Timing = field(default_factory=Timing)
    database_url: Secret | None = None
    send_demo_file: bool = True
    plant_history: bool = False  # incidents of the last month
    fast_database: bool = False  # for tests: without fsync
    openai_key: Secret | None = None  # a real one: questions in words go to OpenAI


class Sandbox:
    """Postgres, the local Railway with the API and the workers, the local Slack with its page, phones, and the bot."""

    def __init__(self, settings: SandboxSettings, *, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._cleanup = AsyncExitStack()
        self.database = LocalDatabase(settings.directory, settings.database_url, fast=settings.fast_database)
        self.workspace = Workspace(settings.directory, subscribed_events=SUBSCRIBED_EVENTS)
        self.phones = Phones()
        self._mail = MailServer(self.phones)
        self._replicas = BotReplicas(self._write_terminal)
        self.railway: LocalRailway
        self.page_url = ""

    @property
    def bots(self) -> list[BotProcess]:
        return self._replicas.all

    async def start(self) -> None:
        """Return when a person can type `/dragonfly health`. On a failure everything started is stopped again."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, last started first; leaves no process behind."""
        await self._cleanup.aclose()

    async def _start(self) -> None:
        self._progress("Postgres and its migrations")
        self._cleanup.push_async_callback(self.database.stop)
        await self.database.start()
        if self._settings.plant_history:
            await self.database.plant_history()
        self._progress("Slack, Railway, phones and the page")
        server = WebServer(self._settings.port)
        self._cleanup.push_async_callback(server.stop)
        if self._settings.port not in (0, server.port):
            self._progress(f"port {self._settings.port} is taken: using {server.port}")
        self.page_url = self.workspace.base_url = server.url
        self.workspace.team = replace(self.workspace.team, address=f"{server.url}/")
        await self._start_stand_ins(server)
        self._progress("the API and the workers")
        await self._start_bots()
        await self._wait_until_ready()
        if self._settings.send_demo_file and not await self.database.has_batches():
            self._progress("a small CSV through the API")
            await self._send_demo_file()

    async def _start_stand_ins(self, server: WebServer) -> None:
        commands = asyncio.create_task(_list_commands())
        await self.workspace.start()
        self._cleanup.push_async_callback(self.workspace.close)
        self.railway = LocalRailway(
            environment.service_specs(self.database.urls, self._settings.timing, page=self.page_url),
            directory=self._settings.directory,
            working_directory=ROOT,
            token=environment.RAILWAY_TOKEN,
            environment_name=environment.ENVIRONMENT,
        )
        self._cleanup.push_async_callback(self.railway.stop)
        await self.railway.start()
        await self._mail.start()
        self._cleanup.push_async_callback(self._mail.stop)
        app = build_app(
            self.workspace, self.railway, self.phones, self.database, self._replicas, await commands, SHORTCUTS
        )
        await server.serve(app)

    async def _start_bots(self) -> None:
        addresses = Addresses(page=self.page_url, api=self.railway.edge_url)
        place = self.railway.place
        for number in range(1, self._settings.bots + 1):
            variables = environment.bot_variables(
                self.database.urls,
                addresses,
                project_id=place.project_id,
                environment_id=place.environment_id,
                git_sha=newest_good(self.railway.commits).sha,
                port=find_free_port(),
                timing=self._settings.timing,
                sql_directory=self.database.sql_directory,
            )
            log_file = self._settings.directory / "logs" / f"bot-{number}.log"
            variables |= {"OPENAI_API_KEY": self._settings.openai_key.reveal()} if self._settings.openai_key else {}
            variables |= environment.phone_variables(page=self.page_url, mail=self._mail.url)
            self.phones.hook = f"{variables['BOT_PUBLIC_URL']}/hooks/pagerduty"
            self._write_terminal(variables)
            bot = BotProcess(variables, working_directory=ROOT, log_file=log_file)
            self.bots.append(bot)
            self._cleanup.push_async_callback(bot.stop)
            await bot.start()

    def _write_terminal(self, variables: Mapping[str, str]) -> None:
        owner = {"DRAGONFLY_ADMIN_DB_URL": self.database.urls.owner.reveal()}  # for `migrate`; not for the bot
        write_terminal(self._settings.directory, {**variables, **owner}, working_directory=ROOT)

    async def _wait_until_ready(self) -> None:
        """The services serve and every bot has its connections."""
        waiting = asyncio.create_task(self.railway.wait_until_serving(READY_WITHIN_S))
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while self.workspace.sockets.count < BOT_CONNECTIONS * len(self.bots):
                    self._check_bots()
                    await asyncio.sleep(0.05)
                await waiting
        except TimeoutError:
            raise OperatorError(
                "The sandbox did not get ready",
                why=f"after {READY_WITHIN_S:.0f} s the bot holds {self.workspace.sockets.count} connections "
                f"and Railway shows {_summary(self.railway)}",
                what_next=f"Read the logs in {self._settings.directory / 'logs'}, then start again.",
            ) from None
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _check_bots(self) -> None:
        for bot in self.bots:
            if not bot.is_running:
                raise OperatorError(
                    "The bot did not start", why=f"its process ended:\n{bot.last_words()}", what_next="Fix that first."
                )

    async def _send_demo_file(self) -> None:
        api = DragonflyApi(self.railway.edge_url, Secret(environment.API_KEY), system=RUNBOOK.name)
        try:
            await api.upload_csv(DEMO_CSV.name, DEMO_CSV.read_bytes())
        except SourceError as exc:
            self._progress(f"the CSV was not taken ({exc.why}); the rest works")
        finally:
            await api.aclose()


async def _list_commands() -> list[tuple[str, str, str]]:
    """`(name, usage, summary)` of each command, asked of the program itself."""
    process = await spawn((sys.executable, "-m", "bot.cli", "help", "--json"), {}, ROOT)
    printed, complaints = await process.communicate()
    if process.returncode:
        why = (complaints.decode(errors="replace").strip().splitlines() or ["it gave no reason"])[-1]
        raise OperatorError("The sandbox was not started", why=f"`dragonfly help` failed: {why}", what_next=REPORT)
    return [(one["name"], one["usage"], one["summary"]) for one in json.loads(printed)]


def _summary(railway: LocalRailway) -> str:
    services = railway.snapshot().services
    return ", ".join(f"{s.name} {s.active.status if s.active else 'without a deployment'}" for s in services)
