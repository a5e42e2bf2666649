"""Many alerts at once, written as a leader writes them, while the bots that send them are killed and cut off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
from psycopg import sql

from bot.alerts.messages import AlertMessages, AlertMessageWriter
from bot.alerts.state import decide
from bot.alerts.suppression import EvaluationContext, RuleResult
from bot.config.alerts_file import default_rules
from bot.views.alerts import Surroundings
from bot.web.metrics import Metrics
from playbooks.model import Finding, Status
from services.clients.postgres import alerts
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.alerts import Severity
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.sandbox.environment import BotProcess
from services.sandbox.slack import model
from services.sandbox.slack.model import Channel
from tests.benchmarks.conftest import Stage

RULES = default_rules()
AGAIN_WITHIN = timedelta(hours=1)


@dataclass
class Crowd:
    """`count` alerts, each with its own message, spread over `channels`: Slack takes 1 message/s in each channel."""

    stage: Stage
    count: int
    channels: int
    bots: list[BotProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        members = [model.OLIVIA.id, self.stage.workspace.bot.id]
        for number in range(self.channels):
            self.stage.workspace.channels[_channel(number)] = Channel(_channel(number), f"alerts-{number}", members)
        self._tellers = [
            AlertMessageWriter(
                RULES, AlertMessages(RULES, channel=_channel(number)), environment="dev", metrics=Metrics()
            )
            for number in range(self.channels)
        ]

    async def start_bots(self, replicas: int) -> None:
        self.bots = [await self.stage.start_bot() for _ in range(replicas)]

    async def write(self) -> None:
        """Store every alert; what cannot be written is written once the database is back."""
        database = Database.connect_lazily(Secret(self.stage.database.bot), application_name="test", timeout_s=2.0)
        for number in range(self.count):
            while True:
                with contextlib.suppress(SourceError):
                    async with database.transaction() as conn:
                        await self._write_one(conn, number)
                    break
                await asyncio.sleep(0.2)
        await database.close()

    async def wait_until_all_are_notified(self, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while len(self.reported()) < self.count:
                await asyncio.sleep(0.1)

    def reported(self) -> Counter[str]:
        """Return `{alert's title: how many messages Slack has of it}`."""
        messages = [one for one in self.stage.workspace.messages if one.channel.startswith("CALERTS")]
        return Counter(one.text.rpartition("· ")[2] for one in messages)

    async def kill_one_and_start_it_again(self) -> None:
        bot = random.choice(self.bots)  # noqa: S311 - no secret
        await bot.kill()
        await bot.start()

    @contextlib.asynccontextmanager
    async def without_database(self) -> AsyncIterator[None]:
        """Refuse new connections and end the open ones."""
        server, _, name = self.stage.database.superuser.rpartition("/")
        async with await psycopg.AsyncConnection.connect(f"{server}/postgres", autocommit=True) as conn:
            allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            await conn.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
            await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            try:
                yield
            finally:
                await conn.execute(allow.format(sql.Identifier(name), sql.SQL("true")))

    @contextlib.asynccontextmanager
    async def without_slack(self) -> AsyncIterator[None]:
        """Slack answers every call with 503."""
        self.stage.workspace.faults.is_down = True
        try:
            yield
        finally:
            self.stage.workspace.faults.is_down = False

    async def _write_one(self, conn: Connection, number: int) -> None:
        now = await read_clock(conn)
        around = EvaluationContext(now, RULES.telling)
        known = await alerts.list_alerts(conn, now=now, again_within=AGAIN_WITHIN)
        moves = decide(_results(number), known, around)
        message_writer = self._tellers[number % self.channels]
        await message_writer.apply(conn, moves, known, Surroundings("dev"), now=now, is_digest=False)


def _channel(number: int) -> str:
    return f"CALERTS{number:04}"


def _results(number: int) -> Sequence[RuleResult]:
    """One result of its own rule: alerts of one rule would share a message."""
    finding = Finding(f"crowd{number}", Status.FAIL, f"trouble {number}")
    return [RuleResult(f"crowd{number}", finding, Severity.NOTIFY, timedelta())]
