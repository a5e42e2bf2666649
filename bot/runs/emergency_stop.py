"""Stops services without the journal during a database outage, and announces it.

The acts are the same as in a run, each sent once and read back, but no other replica can continue them. The run is
filed when the database is back, finds the services stopped, and so records what was done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.config.timing import RunSettings
from bot.runs.executor import Done, Drifted, Reads, Ready, Unknown
from bot.runs.executors.scale import Stop
from bot.views.plan import Content, joined_notice
from bot.world import World
from playbooks.plan import Plan
from playbooks.steps import StopService
from services.clients.postgres.messages import adopt_message
from services.clients.postgres.pool import Connection
from services.clients.railway.quota import Purpose, reading_for
from services.domain.errors import SourceError
from services.domain.runs import Run
from services.domain.services import Service

if TYPE_CHECKING:
    from services.clients.slack import SlackClient

logger = logging.getLogger(__name__)

FIND_WITHIN = timedelta(minutes=30)  # Slack has given up delivering a payload again by then
LEAVES_WITHIN_S = 2.0  # it does not wait behind other messages
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Notice:
    """A message that was posted in Slack."""

    channel_id: str
    ts: str


class EmergencyNotices:
    """Announces emergency stops in one channel. It raises nothing while Slack is away: the stop continues, and the
    requester gets an answer."""

    def __init__(self, slack: SlackClient, *, channel: str) -> None:
        self._slack = slack
        self._channel = channel

    async def post(self, content: Content, *, delivery: str | None) -> Notice | None:
        """Announce it in the channel, once per delivery; None when Slack did not accept it."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                channel_id = await self._slack.channel_id(self._channel)
                key = f"stop:{delivery}" if delivery else None
                found = await self._find(channel_id, key) if key else None
                if found:
                    return Notice(channel_id, found)
                leaves_by = time.monotonic() + LEAVES_WITHIN_S
                return Notice(
                    *await self._slack.post(channel_id, content.text, content.blocks, key=key, leaves_by=leaves_by)
                )
        except (SourceError, TimeoutError) as error:
            logger.warning("an emergency stop was not announced in the channel: %s", error)
            return None

    async def edit(self, notice: Notice, content: Content) -> None:
        """Edit the announcement to show the outcome of the stop."""
        try:
            await self._slack.update(notice.channel_id, notice.ts, content.text, content.blocks)
        except SourceError as error:
            logger.warning("the end of an emergency stop was not announced in the channel: %s", error.why)

    async def _find(self, channel_id: str, key: str) -> str | None:
        """Find the announcement of the same delivery, posted by another replica or before a restart."""
        try:
            return await self._slack.find(channel_id, key, since=datetime.now(UTC) - FIND_WITHIN)
        except SourceError as error:
            logger.info("unknown whether it was announced already: %s", error.why)
            return None


async def join(conn: Connection, run: Run, notice: Notice) -> None:
    """Make the notice the run's message before one is stored; if there is one already, make the notice name the run."""
    if not await _adopt(conn, run.message_key, run.channel, notice, joined_notice(run)):
        await _adopt(conn, f"{run.message_key}:notice", run.channel, notice, joined_notice(run))


async def _adopt(conn: Connection, key: str, channel: str, notice: Notice, content: Content) -> bool:
    return await adopt_message(
        conn,
        key=key,
        channel=channel,
        channel_id=notice.channel_id,
        ts=notice.ts,
        text=content.text,
        blocks=content.blocks,
    )


@dataclass(frozen=True)
class Stopped:
    """The outcome for one service. `is_stopping` False: it still runs, or that is unknown; the note says which."""

    service: Service
    is_stopping: bool
    note: str


async def stop_without_journal(plan: Plan, world: World) -> list[Stopped]:
    """Stop the plan's services, all at the same time. Never raises for a source that fails."""
    stops = [step for step in plan.steps if isinstance(step, StopService)]
    with reading_for(Purpose.EMERGENCY):
        return list(await asyncio.gather(*(_stop(step, world) for step in stops)))


async def _stop(step: StopService, world: World) -> Stopped:
    act = Stop(Reads(world), step, also_unknown=True)
    before = await act.before()
    match before:
        case Done(note):
            return Stopped(step.service, is_stopping=True, note=note)
        case Drifted(note) | Unknown(note):
            return Stopped(step.service, is_stopping=False, note=f"not stopped: {note}")
        case Ready(intent):
            why = await _send(act, dict(intent), world.settings.runs)
            return await _read_back(act, dict(intent), step.service, why, world.settings.runs)


async def _send(act: Stop, intent: dict[str, object], settings: RunSettings) -> str:
    """Send the stop; return why that failed, or "". Reading back shows more."""
    try:
        await act.send(intent, time.monotonic() + settings.call_timeout_s)
    except SourceError as error:
        return f" ({error})"
    return ""


async def _read_back(
    act: Stop, intent: dict[str, object], service: Service, why: str, settings: RunSettings
) -> Stopped:
    give_up_at = time.monotonic() + settings.settle_s
    while True:
        readback = await act.read_back(intent)
        if isinstance(readback, Done):
            return Stopped(service, is_stopping=True, note=readback.note)
        if time.monotonic() >= give_up_at:
            part = await act.done_in_part(intent)
            note = f"{readback.note}{why}" + (f"; done in part: {part}" if part else "")
            return Stopped(service, is_stopping=False, note=note)
        await asyncio.sleep(min(settings.poll_every_s, 1.0))
