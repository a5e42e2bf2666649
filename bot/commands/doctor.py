"""`doctor`: everything that the runbook's tools look at; the cause first, what to do, and what follows from it."""

from __future__ import annotations

import asyncio
import time

from bot.commands.arguments import wants_all
from bot.facts import gather_doctor
from bot.types import Answer, Request
from bot.views.diagnosis import doctor_answer
from bot.views.findings import as_of
from bot.world import World
from playbooks import doctor


async def handle(request: Request, world: World) -> Answer:
    show_all = wants_all(request.words)
    started = time.perf_counter()
    facts = await gather_doctor(world)
    report = await asyncio.to_thread(doctor.report, facts)  # masking the lines of three logs takes its time
    took = f"took {(time.perf_counter() - started) * 1000:.0f} ms"
    return doctor_answer(report, notes=[f"{as_of(facts.health.as_of)} · {took}"], show_all=show_all)
