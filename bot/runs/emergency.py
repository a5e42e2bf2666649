"""Stops services without the journal: the emergency stop while the database is away.

The same acts as in a run, each sent once and read back; what is lost is that a successor could go on. The run is filed
when the database is back, finds that nothing runs, and so writes down what was done.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bot.facts import World
from bot.runs.executors.stopping import Stop
from bot.runs.tools import Reach
from bot.runs.verdicts import Differs, Done, Ready, Unseen
from bot.settings.runs import RunSettings
from playbooks._contract import Plan
from playbooks._steps import StopService
from services.domain.errors import SourceError
from services.domain.services import Service
from services.railway.reader import Purpose, reading_for


@dataclass(frozen=True)
class Stopped:
    """What became of one service. `is_stopping` False: nobody knows, or it runs on; the note says which."""

    service: Service
    is_stopping: bool
    note: str


async def stop_without_journal(plan: Plan, world: World) -> list[Stopped]:
    """Carry out what the plan stops, all at once. Never raises for a source that fails."""
    stops = [step for step in plan.steps if isinstance(step, StopService)]
    with reading_for(Purpose.EMERGENCY):
        return list(await asyncio.gather(*(_stop(step, world) for step in stops)))


async def _stop(step: StopService, world: World) -> Stopped:
    act = Stop(Reach(world), step, unseen_too=True)
    before = await act.before()
    match before:
        case Done(note):
            return Stopped(step.service, is_stopping=True, note=note)
        case Differs(note) | Unseen(note):
            return Stopped(step.service, is_stopping=False, note=f"not stopped: {note}")
        case Ready(intent):
            why = await _send(act, dict(intent), world.settings.runs)
            return await _read_back(act, dict(intent), step.service, why, world.settings.runs)


async def _send(act: Stop, intent: dict[str, object], settings: RunSettings) -> str:
    """Why it failed, if it did; reading back tells more."""
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
        seen = await act.read_back(intent)
        if isinstance(seen, Done):
            return Stopped(service, is_stopping=True, note=seen.note)
        if time.monotonic() >= give_up_at:
            part = await act.done_in_part(intent)
            note = f"{seen.note}{why}" + (f"; done in part: {part}" if part else "")
            return Stopped(service, is_stopping=False, note=note)
        await asyncio.sleep(min(settings.poll_every_s, 1.0))
