"""Evaluates the alert rules at each deadline, and stores alerts, decisions and messages. Leader only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from bot.alerts import rules
from bot.alerts.messages import AlertMessageWriter
from bot.alerts.rules import drill
from bot.alerts.rules.workers import next_deadline
from bot.alerts.silence_ends import Reminder, SilenceEnd, end_silences
from bot.alerts.snapshot import Snapshot
from bot.alerts.sources import EVERY_S, Services, Sources, earliest, surroundings_of
from bot.alerts.state import decide, next_moment
from bot.alerts.suppression import EvaluationContext, RuleResult, WorkingRun
from bot.config.alerts import AlertRules
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUp, WakeUps
from bot.world import World
from services.clients.postgres import alerts
from services.clients.postgres.alerts import list_watched_drills
from services.clients.postgres.operated import read_heartbeats
from services.clients.postgres.pool import Connection, Database
from services.domain.alerts import Alert, Drill
from services.domain.errors import SourceError, Unavailable
from services.domain.runs import run_message_key

logger = logging.getLogger(__name__)

MARGIN = timedelta(milliseconds=20)  # a heartbeat counts *until* its deadline; evaluate just after it
BUSY_EVERY = timedelta(seconds=2)  # while workers are missing, their return must be noticed soon
IDLE_EVERY = timedelta(seconds=EVERY_S)  # to notice a first worker, or added replicas
GAP = timedelta(seconds=60)  # three missed evaluations
BUSY = frozenset({"heartbeats", "workers", "crash_loop"})
PATIENCE_S = 1.0


class Evaluator(PeriodicTask):
    """Evaluates the alert rules. `on_services` receives Railway's answers as they arrive. `name_of` returns the name of
    a Slack id, "" if unknown."""

    name = "evaluation"
    late_after_s = 90.0  # more than three evaluations while nothing is wrong

    def __init__(
        self,
        world: World,
        database: Database,
        settings: AlertRules,
        message_writer: AlertMessageWriter,
        *,
        wake_ups: WakeUps,
        on_services: Callable[[Services], None] = lambda _: None,
        name_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._answered = WakeUp()
        super().__init__(wake_ups.refresh, self._answered)
        self._world = world
        self._database = database
        self.rules = settings
        self._message_writer = message_writer
        self._wake_ups = wake_ups
        self._name_of = name_of
        self._sources = Sources(world, answered=self._answered.set, on_services=on_services)
        self._due_at = 0.0  # when the next evaluation is due, by the loop's clock
        self._is_first = True
        self._latest: Snapshot | None = None

    def follow(self, rules: AlertRules) -> None:
        """Use these rules from now on."""
        self.rules = rules
        self._message_writer.follow(rules)

    @property
    def latest(self) -> Snapshot | None:
        """The snapshot of the last tick; None before the first one."""
        return self._latest

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        self._is_first = True
        try:
            with self._wake_ups.refresh.listen(self._sources.hasten):  # their answers start another evaluation
                yield
        finally:
            await self._sources.close()
            self._latest = None

    async def tick(self, fence: Fence) -> float:
        """Evaluate once; return the seconds until the next evaluation. Raises SourceError if the database is away."""
        now = asyncio.get_running_loop().time()
        await self._sources.refresh(min(PATIENCE_S, self._due_at - now))
        read_at = asyncio.get_running_loop().time()
        reading = await self._world.read(read_heartbeats)
        if isinstance(reading, Unavailable):
            raise SourceError("database", reading.why)
        snapshot = replace(self._sources.see(reading), drills=await self._read_drills())
        self._latest = snapshot
        results = rules.evaluate(snapshot, self.rules.rules)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            around, known = await self._read_context(conn, snapshot.now)
            has_moved = await self._apply(conn, results, known, around, snapshot)
            if has_moved:
                around, known = await self._read_context(conn, snapshot.now)
        if has_moved:
            self._wake_ups.outbox.set()
        self._is_first = False
        return self._wait_s(snapshot, results, known, around, read_at)

    async def _read_drills(self) -> Sequence[Drill]:
        async with self._database.read() as conn:
            return await list_watched_drills(conn)

    async def _read_context(self, conn: Connection, now: datetime) -> tuple[EvaluationContext, list[Alert]]:
        telling = self.rules.telling
        blind_until = await alerts.note_evaluation(
            conn, now=now, gap=GAP, aftermath=timedelta(seconds=telling.aftermath_s)
        )
        working = [
            WorkingRun(run_id, taken, run_message_key(run_id)) for run_id, taken in await alerts.list_working_runs(conn)
        ]
        around = EvaluationContext(now, telling, await alerts.list_silences(conn), working, blind_until)
        again_within = timedelta(seconds=telling.again_within_s)
        return around, await alerts.list_alerts(conn, now=now, again_within=again_within)

    async def _apply(
        self,
        conn: Connection,
        results: Sequence[RuleResult],
        known: Sequence[Alert],
        around: EvaluationContext,
        snapshot: Snapshot,
    ) -> bool:
        """Store transitions and ended silences; True if there were any."""
        transitions = decide(results, known, around)
        ends = end_silences(transitions, known, around)
        for end in ends:
            await self._end_silence(conn, end, known, around.now)
        surroundings = surroundings_of(snapshot, self._name_of)
        await self._message_writer.apply(
            conn, transitions, known, surroundings, now=around.now, is_digest=self._is_first
        )
        return bool(transitions or ends)

    async def _end_silence(
        self, conn: Connection, end: Reminder | SilenceEnd, known: Sequence[Alert], now: datetime
    ) -> None:
        silence = end.silence
        logger.info("silence %d of %s: %s", silence.id, silence.what, end.words)
        match end:
            case Reminder():
                await alerts.remind_of_silence(conn, id=silence.id, at=now)
            case SilenceEnd(outcome=outcome):
                silence = await alerts.end_silence(conn, id=silence.id, at=now, outcome=outcome) or silence
        about = [alert for alert in known if silence.covers(alert.fingerprint, alert.service)]
        await self._message_writer.notify_owner(conn, silence, end.words, about)

    def _wait_s(
        self,
        snapshot: Snapshot,
        results: Sequence[RuleResult],
        known: Sequence[Alert],
        around: EvaluationContext,
        read_at: float,
    ) -> float:
        """Seconds until the next deadline, counted from the moment at which the database's clock was read."""
        is_busy = any(alert.is_open and alert.rule in BUSY for alert in known)
        pause = BUSY_EVERY if is_busy else IDLE_EVERY
        moment = earliest(next_deadline(snapshot), drill.next_deadline(snapshot), next_moment(results, known, around))
        if moment is not None:
            pause = min(pause, moment + MARGIN - snapshot.now)
        self._due_at = read_at + pause.total_seconds()
        return max(self._due_at - asyncio.get_running_loop().time(), MARGIN.total_seconds())
