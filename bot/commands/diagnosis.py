"""`doctor`, `prod-gate`, `preflight` and `security-audit`: many checks in one answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from bot.commands.arguments import no_more, wants_all
from bot.facts.doctor import gather_doctor, gather_gate
from bot.facts.preflight import gather_preflight
from bot.types import Answer, Request, Surface
from bot.views.diagnosis import doctor_answer, gate_answer
from bot.views.findings import as_of, findings_answer
from bot.world import World
from playbooks import doctor, preflight, prod_gate
from playbooks.checks import security
from services.clients.postgres.operated import list_exposures

STRICT = "--strict"


async def answer_doctor(request: Request, world: World) -> Answer:
    """Show the cause first, then what to do, then its effects."""
    show_all = wants_all(request.words)
    started = time.perf_counter()
    facts = await gather_doctor(world)
    report = await asyncio.to_thread(doctor.report, facts)  # masking the lines of three logs is slow
    took = f"took {(time.perf_counter() - started) * 1000:.0f} ms"
    return doctor_answer(report, notes=[f"{as_of(facts.health.as_of)} · {took}"], show_all=show_all)


async def answer_prod_gate(request: Request, world: World) -> Answer:
    """Check the gate. Private, because the security audit shows what is not protected."""
    no_more(tuple(word for word in request.words if word != STRICT), 0)
    is_strict = STRICT in request.words
    facts = await gather_gate(world)
    title = "prod gate, strict" if is_strict else "prod gate"
    return gate_answer(title, prod_gate.check(facts, strict=is_strict), prod_gate.find_causes(facts))


async def answer_preflight(request: Request, world: World) -> Answer:
    """Run the preflight checks. Private, as the security audit shows what is not protected. Slack has no checkout."""
    no_more(request.words, 0)
    directory = Path.cwd() if request.surface is Surface.TERMINAL else None
    findings = preflight.check(await gather_preflight(world, directory))
    return findings_answer("preflight", findings, private=True)


async def answer_security_audit(request: Request, world: World) -> Answer:
    """Run the security audit. Private, because it shows what is not protected."""
    no_more(request.words, 0)
    exposures = await world.read(list_exposures)
    found = [replace(one, next_step=None) for one in security.check(exposures, world.system)]  # it is this command
    return findings_answer("security audit", found, private=True)
