"""The whole sandbox, as `make demo` starts it, once for all tests of a module."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from services.sandbox.environment import Timing
from services.sandbox.railway.commits import newest_good
from services.sandbox.sandbox import Sandbox, SandboxSettings
from services.sandbox.slack import cast
from services.sandbox.slack.model import Message

STALE_AFTER_S = 4.0
HEARTBEAT_EVERY_S = 1.0
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Stage:
    """A running sandbox and what tests ask of it. Channels are the incidents channel's."""

    sandbox: Sandbox
    stale_after_s: float = STALE_AFTER_S
    heartbeat_every_s: float = HEARTBEAT_EVERY_S

    @property
    def sha(self) -> str:
        """The commit that every service runs."""
        return newest_good(self.sandbox.railway.commits).sha

    def messages(self, user: str = cast.OLIVIA.id, thread_ts: str | None = None) -> list[Message]:
        """What this person sees in the incidents channel or in a thread of it, oldest first."""
        workspace = self.sandbox.workspace
        if thread_ts:
            return workspace.thread_for(user, cast.INCIDENTS_ID, thread_ts)
        return workspace.messages_for(user, cast.INCIDENTS_ID)

    async def uploaded(self) -> None:
        """Wait until the file that the start uploads has been worked off."""
        async with (
            asyncio.timeout(20),
            await psycopg.AsyncConnection.connect(self.sandbox.database.urls.owner.reveal(), autocommit=True) as conn,
        ):
            while True:
                found = await conn.execute("SELECT bool_and(status = 'completed'), count(*) FROM ops.job_queue")
                if await found.fetchone() == (True, 2):
                    return
                await asyncio.sleep(0.1)

    async def ask(self, line: str, user: str = cast.OLIVIA.id) -> Message:
        """Type a line, and give the bot's next message that this person sees."""
        before = {message.ts for message in self.messages(user)}
        error = await self.sandbox.workspace.acting_as(user).type(cast.INCIDENTS_ID, line)
        assert error is None
        return await self.wait_for(lambda message: message.ts not in before, user=user)

    async def wait_for(
        self,
        wanted: Callable[[Message], bool],
        *,
        user: str = cast.OLIVIA.id,
        thread_ts: str | None = None,
        timeout_s: float = 20.0,
    ) -> Message:
        """The first message of the bot that is wanted, as soon as it is there."""
        bot = self.sandbox.workspace.bot.id
        async with asyncio.timeout(timeout_s):
            while True:
                for message in self.messages(user, thread_ts):
                    if message.user == bot and wanted(message):
                        return message
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A sandbox with two replicas of the bot and quick heartbeats."""
    directory: Path = tmp_path_factory.mktemp("sandbox")
    for name in PROXY_VARIABLES:
        os.environ.pop(name, None)
    timing = Timing(heartbeat_every_s=HEARTBEAT_EVERY_S, heartbeat_stale_after_s=STALE_AFTER_S)
    settings = SandboxSettings(directory, port=0, bots=2, timing=timing, fast_database=True)
    sandbox = Sandbox(settings, progress=lambda _line: None)
    await sandbox.start()
    try:
        yield Stage(sandbox)
    finally:
        await sandbox.stop()
