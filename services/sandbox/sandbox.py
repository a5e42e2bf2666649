"""Starts and stops everything that the bot needs on one machine, and the bot itself."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.sandbox import environment
from services.sandbox.database import LocalDatabase
from services.sandbox.environment import BotProcess, Identity, Timing
from services.sandbox.local_environment import ROOT, LocalEnvironment
from services.sandbox.openai import build_router as build_openai
from services.sandbox.page.app import build_router as build_page
from services.sandbox.page.panel import BotFaults, DatabaseFaults
from services.sandbox.phone.phones import MailServer, Phones
from services.sandbox.phone.phones import build_router as build_pager
from services.sandbox.railway.control import build_router as build_railway
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.replica import spawn
from services.sandbox.slack.control import build_router as build_slack
from services.sandbox.slack.model import staging_channel
from services.sandbox.slack.workspace import Workspace
from services.sandbox.switch import Switch
from services.sandbox.web_server import WebServer, serve_own_hosts_only


def build_app(
    workspace: Workspace,
    railway: LocalRailway,
    phones: Phones,
    database: DatabaseFaults,
    bot: BotFaults,
    commands: Sequence[tuple[str, str, str]],
    shortcuts: Sequence[tuple[str, str]] = (),
    switch: Switch | None = None,
) -> FastAPI:
    """The application for the bot, the tests and a browser, over HTTP. `commands` are `(name, usage, summary)`."""
    app = FastAPI(title="Dragonfly sandbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(build_slack(workspace))
    app.include_router(build_railway(railway))
    app.include_router(build_openai())
    app.include_router(build_pager(phones))
    app.include_router(build_page(workspace, railway, phones, database, bot, commands, shortcuts, switch=switch))
    app.add_exception_handler(OperatorError, _show_error)
    serve_own_hosts_only(app)
    return app


async def _show_error(_request: Request, error: Exception) -> JSONResponse:
    """The error in the shape that the page shows."""
    return JSONResponse({"detail": str(error)}, status_code=409)


# The events in the bot's manifest; a test compares the two.
SUBSCRIBED_EVENTS = frozenset({"app_mention", "app_home_opened", "message.im", "reaction_added", "reaction_removed"})
SHORTCUTS = (("incident.escalate_this", "Escalate this"), ("incident.add_todo", "Add a follow-up"))
REPORT = "Run `make test`: something in the checkout is broken."

Progress = Callable[[str], None]  # called with one line for the person who waits


@dataclass(frozen=True)
class SandboxSettings:
    """Settings of a sandbox. `port`: the page's, or the next free one; 0 takes any.

    `database_url`: this database instead of our own.
    """

    directory: Path
    port: int = 8800
    bots: int = 1
    timing: Timing = field(default_factory=Timing)
    database_url: Secret | None = None
    send_demo_file: bool = True
    plant_history: bool = False  # incidents of the last month
    fast_database: bool = False  # for tests: without fsync
    openai_key: Secret | None = None  # a real key, with which questions in words go to OpenAI
    identity: Identity = field(default_factory=Identity)
    second: Identity | None = None  # another environment, behind the page's switch


class Sandbox:
    """Postgres, the local Railway with API and workers, the local Slack with its page, phones, and the bot.

    A second environment of them is started when a person switches to it.
    """

    def __init__(self, settings: SandboxSettings, *, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._cleanup = AsyncExitStack()
        self.database = LocalDatabase(
            settings.directory,
            settings.database_url,
            environment=settings.identity.environment,
            fast=settings.fast_database,
        )
        self.workspace = Workspace(settings.directory, subscribed_events=SUBSCRIBED_EVENTS, app=settings.identity.app)
        self.phones = Phones()
        self._mail = MailServer(self.phones)
        self._first: LocalEnvironment
        self._commands: list[tuple[str, str, str]] = []
        self._app: FastAPI
        self._switch: Switch | None = None
        self.second: LocalEnvironment | None = None
        self.page_url = ""

    @property
    def bots(self) -> list[BotProcess]:
        return self._first.replicas.all

    @property
    def railway(self) -> LocalRailway:
        return self._first.railway

    async def start(self) -> None:
        """Start everything; return when a person can type `/dragonfly health`. On a failure, stop everything."""
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
        for _ in range(self._settings.bots):
            await self._start_bot()
        await self._first.wait_until_ready()
        if self._settings.send_demo_file:
            await self._send_demo_file(self._first)

    async def _start_stand_ins(self, server: WebServer) -> None:
        commands = asyncio.create_task(_list_commands())
        switch = self._install_second()
        await self.workspace.start()
        self._cleanup.push_async_callback(self.workspace.close)
        directory, timing = self._settings.directory, self._settings.timing
        self._first = LocalEnvironment(
            self._settings.identity, self.workspace, self.database.urls, directory=directory, timing=timing
        )
        self._cleanup.push_async_callback(self._first.stop)
        await self._first.start_railway()
        await self._mail.start()
        self._cleanup.push_async_callback(self._mail.stop)
        self._commands = await commands
        self._app = build_app(
            self.workspace,
            self.railway,
            self.phones,
            self.database,
            self._first.replicas,
            self._commands,
            SHORTCUTS,
            switch,
        )
        await server.serve(self._app)

    def _install_second(self) -> Switch | None:
        """Install the second environment's app in the workspace; its processes are started later."""
        identity = self._settings.second
        if identity is None:
            return None
        base_url = f"{self.page_url}{identity.prefix}"
        other = self.workspace.install(identity.app, base_url=base_url, channel=staging_channel())
        self._cleanup.push_async_callback(other.close)
        self._switch = Switch(
            (self._settings.identity, identity), partial(self._start_second, identity, other), self._fill_second
        )
        return self._switch

    async def _start_second(self, identity: Identity, workspace: Workspace) -> None:
        """Start the second environment. Raises OperatorError; then what was started is stopped again."""
        self._progress(f"{identity.environment}, its API, its workers and its bot")
        urls = await self.database.prepare(identity.environment, identity.environment)
        directory = self._settings.directory / identity.environment
        second = LocalEnvironment(identity, workspace, urls, directory=directory, timing=self._settings.timing)
        try:
            await second.start_railway()
            self._serve_second(second)
            variables = second.bot_variables(self.database.sql_directory)
            del variables["DRAGONFLY_ONCALL"]  # only the first environment pages people
            second.write_terminal(variables)
            await second.start_bot(variables)
            await second.wait_until_ready()
        except BaseException:
            await second.stop()
            raise
        self.second = second
        self._cleanup.push_async_callback(second.stop)

    async def _fill_second(self) -> None:
        if self.second is not None:
            await self._send_demo_file(self.second)

    def _serve_second(self, second: LocalEnvironment) -> None:
        """Serve the same routes as for the first, behind the prefix, in place of those of an earlier attempt."""
        prefix, workspace, railway = second.identity.prefix, second.workspace, second.railway
        routes = self._app.router.routes
        routes[:] = [one for one in routes if not str(getattr(one, "path", "")).startswith(f"{prefix}/")]
        self._app.include_router(build_slack(workspace), prefix=prefix)
        self._app.include_router(build_railway(railway), prefix=prefix)
        self._app.include_router(build_openai(), prefix=prefix)
        page = build_page(
            workspace,
            railway,
            Phones(),
            self.database,
            second.replicas,
            self._commands,
            SHORTCUTS,
            switch=self._switch,
            prefix=prefix,
        )
        self._app.include_router(page, prefix=prefix)

    async def _start_bot(self) -> None:
        variables = self._first.bot_variables(self.database.sql_directory)
        key = self._settings.openai_key
        variables |= {"OPENAI_API_KEY": key.reveal()} if key else {}
        variables |= environment.phone_variables(page=self.page_url, mail=self._mail.url)
        self.phones.hook = f"{variables['BOT_PUBLIC_URL']}/hooks/pagerduty"
        self._first.write_terminal(variables)
        await self._first.start_bot(variables)

    async def _send_demo_file(self, one: LocalEnvironment) -> None:
        why = await one.send_demo_file()
        if why is not None:
            self._progress(f"the CSV was not taken ({why}); the rest works")


async def _list_commands() -> list[tuple[str, str, str]]:
    """`(name, usage, summary)` of each command, read from `dragonfly help`."""
    process = await spawn((sys.executable, "-m", "bot.cli", "help", "--json"), {}, ROOT)
    printed, complaints = await process.communicate()
    if process.returncode:
        why = (complaints.decode(errors="replace").strip().splitlines() or ["it gave no reason"])[-1]
        raise OperatorError("The sandbox was not started", why=f"`dragonfly help` failed: {why}", what_next=REPORT)
    return [(one["name"], one["usage"], one["summary"]) for one in json.loads(printed)]
