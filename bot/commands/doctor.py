"""`doctor`: everything that the runbook's tools look at, what is wrong with its likely cause and what to do."""

from __future__ import annotations

import asyncio
import time

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.checks import gather_doctor
from bot.views.findings import as_of, findings_answer
from playbooks import doctor


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    started = time.perf_counter()
    facts = await gather_doctor(world)
    findings = await asyncio.to_thread(doctor.check, facts)  # masking the lines of three logs takes its time
    took = f"took {(time.perf_counter() - started) * 1000:.0f} ms"
    return findings_answer("doctor", findings, notes=[f"{as_of(facts.health.as_of)} · {took}"])


COMMAND = Command(
    name="doctor",
    summary="everything at once: what is wrong, its likely cause, and what to do about it",
    group="Start here",
    handle=handle,
    usage="[--env <environment>]",
    examples=("doctor",),
)
