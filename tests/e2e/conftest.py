"""The whole sandbox as `make demo` starts it, once per test module; and a headless browser."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from services.sandbox.environment import STAGING, Timing
from services.sandbox.postgres.server import PostgresServer
from services.sandbox.railway.model import newest_good
from services.sandbox.sandbox import Sandbox, SandboxSettings
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message
from tests.outside import first_message, wait_long

STALE_AFTER_S = 8.0  # for tests that miss a worker; others have no alert in between
CALM_AFTER_S = 300.0
PATIENCE_S = 90.0
HEARTBEAT_EVERY_S = 1.0
SOAK_S = 2
NEWS = ("alert:", "incident:", "oncall:", "report:", "rollout:")  # keys of messages
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

expect.set_options(timeout=PATIENCE_S * 1000)  # the default is 5 s

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Stage:
    """A running sandbox, with helpers for tests. Messages are those of the incidents channel."""

    sandbox: Sandbox
    stale_after_s: float = STALE_AFTER_S
    heartbeat_every_s: float = HEARTBEAT_EVERY_S

    @property
    def sha(self) -> str:
        """The commit that every service runs."""
        return newest_good(self.sandbox.railway.commits).sha

    @staticmethod
    def is_news(message: Message) -> bool:
        """True if no command asked for it: an alert, an incident, a change of shifts, an external deployment."""
        payload = (message.metadata or {}).get("event_payload") or {}
        return str(payload.get("key", "")).startswith(NEWS)

    def messages(self, user: str = model.OLIVIA.id, thread_ts: str | None = None) -> list[Message]:
        """Messages that this person sees in the incidents channel, or in one of its threads, oldest first."""
        workspace = self.sandbox.workspace
        if thread_ts:
            return workspace.thread_for(user, model.INCIDENTS_ID, thread_ts)
        return workspace.messages_for(user, model.INCIDENTS_ID)

    async def uploaded(self) -> None:
        """Wait until the file that the sandbox uploads at its start, its assessments and its memos are processed."""
        async with (
            asyncio.timeout(PATIENCE_S),
            await psycopg.AsyncConnection.connect(self.sandbox.database.urls.owner.reveal(), autocommit=True) as conn,
        ):
            while True:
                found = await conn.execute("SELECT bool_and(status = 'completed'), count(*) FROM ops.job_queue")
                if await found.fetchone() == (True, 3):
                    return
                await asyncio.sleep(0.1)

    async def ask(self, line: str, user: str = model.OLIVIA.id) -> Message:
        """Type a line; return the bot's next message that this person sees."""
        before = {message.ts for message in self.messages(user)}
        error = await acting_as(self.sandbox.workspace, user).type(model.INCIDENTS_ID, line)
        assert error is None
        return await self.wait_for(lambda message: message.ts not in before and not self.is_news(message), user=user)

    async def wait_for(
        self,
        wanted: Callable[[Message], bool],
        *,
        user: str = model.OLIVIA.id,
        thread_ts: str | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> Message:
        """Wait for the bot's first matching message."""
        bot = self.sandbox.workspace.bot.id

        def posted() -> list[Message]:
            return [message for message in self.messages(user, thread_ts) if message.user == bot]

        return await first_message(posted, wanted, timeout_s=timeout_s)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A sandbox with frequent heartbeats, to which Slack refuses nothing.

    A module whose workers die sets `MISSES_WORKERS = True`, or `MISSED_AFTER_S` if it matters when they are missed; one
    that needs several replicas of the bot sets `BOTS = 2`, and one that switches to staging `SECOND = True`.
    """
    directory: Path = tmp_path_factory.mktemp("sandbox")
    for name in PROXY_VARIABLES:
        os.environ.pop(name, None)
    default = STALE_AFTER_S if getattr(request.module, "MISSES_WORKERS", False) else CALM_AFTER_S
    stale_after_s = getattr(request.module, "MISSED_AFTER_S", default)
    timing = Timing(HEARTBEAT_EVERY_S, stale_after_s, SOAK_S, sign_after_s=PATIENCE_S)
    bots = getattr(request.module, "BOTS", 1)
    second = STAGING if getattr(request.module, "SECOND", False) else None
    settings = SandboxSettings(directory, port=0, bots=bots, timing=timing, fast_database=True, second=second)
    sandbox = Sandbox(settings, progress=lambda _line: None)
    await sandbox.start()
    wait_long(sandbox.workspace)
    try:
        yield Stage(sandbox)
        assert list(sandbox.workspace.refusals) == []
    finally:
        await sandbox.stop()
        PostgresServer(directory / "postgres").erase()


class OpenPage(Protocol):
    """Opens the page in its own window; a script error or a failed resource fails the test."""

    def __call__(
        self, url: str, path: str = "/", *, width: int, height: int, has_touch: bool = False
    ) -> AbstractAsyncContextManager[Page]: ...


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium. In CI a missing browser fails the tests; elsewhere they are skipped."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium on this machine")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield launched
        await launched.close()


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> OpenPage:
    @asynccontextmanager
    async def opened(
        url: str, path: str = "/", *, width: int, height: int, has_touch: bool = False
    ) -> AsyncIterator[Page]:
        faults: list[str] = []
        size = {"width": width, "height": height}
        context = await browser.new_context(base_url=url, viewport=size, has_touch=has_touch)  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        await page.goto(path)
        try:
            yield page
        finally:
            await context.close()
        assert faults == []

    return opened


class MeasureThread(Protocol):
    """Measures a thread's height on a phone, in CSS pixels, from its first message's top to its last one's bottom."""

    async def __call__(self, thread_ts: str) -> float: ...


PHONE_WIDTH = 390
_EXTENT = """lines => {
    const boxes = lines.map(line => line.getBoundingClientRect());
    return Math.max(...boxes.map(box => box.bottom)) - Math.min(...boxes.map(box => box.top));
}"""


@pytest.fixture(scope="module")
def thread_height(stage: Stage, open_page: OpenPage) -> MeasureThread:
    async def measured(thread_ts: str) -> float:
        path = f"/?as={model.OLIVIA.id}&in={model.INCIDENTS_ID}&thread={thread_ts}"
        async with open_page(stage.sandbox.page_url, path, width=PHONE_WIDTH, height=844, has_touch=True) as page:
            lines = page.locator("#thread-lines article")
            await expect(lines.first).to_be_visible()
            return float(await lines.evaluate_all(_EXTENT))

    return measured
