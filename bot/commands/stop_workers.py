"""`stop-workers [worker] [reason]`: break-glass, stops the workers now, without approval."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from bot.commands.arguments import only, parse_reason, parse_services, read_reason, read_services, wrong_word
from bot.config.connections import RailwaySettings
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.modals import PRESETS
from bot.views.run_buttons import confirm_dialog
from bot.world import World
from playbooks import stop_workers as playbook
from playbooks.change_parts import Load
from playbooks.model import NoPlan, Status
from playbooks.plan import Plan
from services.clients.railway.parsing import project_link
from services.clients.railway.quota import Purpose, at_least
from services.domain.errors import Unavailable
from services.domain.services import Service, find_service
from services.domain.systems import System

NAME = "stop-workers"
PATIENCE_S = 1.5


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service` (a worker's short name or `workers`, the default) and `reason`."""
    only(parameters, "service", "reason")
    _refuse_malformed(parameters, world)
    reason = read_reason(parameters) if parameters.get("reason") else ""
    facts = await _gather(world)
    return playbook.plan(facts, _read_workers(parameters, facts.load.system), reason)


def _refuse_malformed(parameters: Parameters, world: World) -> None:
    """Raise UsageError for a wrong worker before anything is read, as far as possible while the system is unknown."""
    if world.is_recognized:
        _read_workers(parameters, world.system)
        return
    word = parse_services((parameters.get("service", EVERY),), EXAMPLE)
    service = find_service(word)
    if word == "all" or (service is not None and service.is_api):
        raise wrong_word(word, "is not a worker", f"Name a worker or `{EVERY}`.")


def _read_workers(parameters: Mapping[str, str], system: System) -> tuple[Service, ...]:
    """Return one worker service, or all for `workers` or no word. Raises UsageError."""
    services = read_services({"service": "workers", **parameters}, system)[1]
    if any(service.is_api for service in services):
        names = ", ".join(f"`{service.short}`" for service in system.workers)
        raise wrong_word(parameters["service"], "is not a worker", f"Name {names} or `workers`.")
    return services


async def _gather(world: World) -> playbook.Facts:
    """Gather the facts without waiting for the database. If it then shows another system, ask Railway again.

    While the system is unknown, the workers are those that Railway has, of any system.
    """
    facts = await _gather_once(world)
    facts = facts if facts.load.system == world.system else await _gather_once(world)
    if world.is_recognized:
        return facts
    seen = world.settings.operated.named(playbook.system_among(facts.states))
    return replace(facts, load=replace(facts.load, system=seen), is_recognized=False)


async def _gather_once(world: World) -> playbook.Facts:
    system = world.system
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        states = group.create_task(world.railway_services())
        load = group.create_task(_gather_load_quickly(world))
    facts = playbook.Facts(environment, states.result(), replace(load.result(), system=system), _dashboard(world))
    return await _with_last_known(world, facts, facts.states) if isinstance(facts.states, Unavailable) else facts


async def _with_last_known(world: World, facts: playbook.Facts, refused: Unavailable) -> playbook.Facts:
    """Use the last known services, since each stop reads the active deployment again. If none, ask with priority."""
    known = world.last_railway_services()
    if known is not None:
        return replace(facts, states=known.services, outdated=refused, age=known.age)
    with at_least(Purpose.EMERGENCY):
        return replace(facts, states=await world.railway_services())


async def _gather_load_quickly(world: World) -> Load:
    """Gather the load within 1.5 s: it is only shown, and must not delay the stop. A slow database is unavailable."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await gather_load(world)
    except TimeoutError:
        late = Unavailable("database", f"no answer within {PATIENCE_S:g} s")
        return Load(world.settings.stale_after, queue=late, running=late, beats=late, system=world.system)


def _dashboard(world: World) -> str | None:
    railway = world.settings.railway
    if not isinstance(railway, RailwaySettings):
        return None
    return project_link(railway.project_id, railway.environment_id)


SHOWN = 3  # buttons; the modal of the slash command has all


def presets_answer(service: str) -> Answer:
    """Ask for the reason, with one button per preset. `service`: a worker's short name, or `workers`."""
    first = f"🚨 *Why stop the {service}?*" if service == "workers" else f"🚨 *Why stop {service}?*"
    blocks = [
        section(f"{first} Nothing has happened yet: one tap confirms the stop."),
        *actions([_preset(service, reason) for reason in PRESETS[:SHOWN]]),
        context(f"or in your own words: `stop-workers {service} &lt;reason&gt;`"),
    ]
    data = {"reasons": list(PRESETS), "command": f"stop-workers {service} <reason>"}
    return Answer(*fit_message(first, blocks), data, Status.FAIL, private=True)


def _preset(service: str, reason: str) -> Block:
    effect = f"{reason}. Stops immediately, without approval. Announced to everyone, reviewed afterwards."
    dialog = confirm_dialog(f"Stop {service} now?", effect, "Stop now", danger=True)
    return command_button(reason, f"stop-workers {service} {reason}", style="danger") | {"confirm": dialog}


EXAMPLE = "stop-workers ingest wrong amounts"
EVERY = "workers"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service` (a worker or `workers`), and `reason` if given. Raises UsageError."""
    service, rest = split(words)
    return {"service": service} | ({"reason": parse_reason(rest, EXAMPLE)} if rest else {})


async def offer(parameters: Mapping[str, str], world: World) -> Answer | None:  # noqa: ARG001 - nothing is read
    """Offer presets as buttons where no modal can open, such as in a thread. None if there is a reason."""
    return None if "reason" in parameters else presets_answer(parameters["service"])


def split(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the worker's short name or `workers`, and the words of the reason, maybe none. Raises UsageError."""
    if words and words[0].lower() in (EVERY, "all"):
        return EVERY, words[1:]
    service = find_service(words[0]) if words else None
    if service is not None and service.is_api:
        raise wrong_word(words[0], "is not a worker", f"Write `{EXAMPLE}`, or leave the service out for all workers.")
    return (service.short, words[1:]) if service else (EVERY, words)
