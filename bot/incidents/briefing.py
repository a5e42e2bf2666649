"""Tells in each new incident's thread, by itself and in order, what the runbook's escalation path looks at.

All steps are read at the same time, each within its own limit; a source that is away is said, and delays nothing. How
far an incident has been told is written with each message, so that a successor goes on where its predecessor stopped.
Runs on the leader only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from bot.commands.rollback import read_offer
from bot.facts import World
from bot.facts.checks import gather_doctor
from bot.facts.logs import read_error_digest
from bot.facts.recent_changes import gather_recent_changes
from bot.incidents.switchboard import Switchboard
from bot.leader import Fence
from bot.leading import Rounds
from bot.settings import Invalid
from bot.views import briefing as view
from playbooks import doctor
from playbooks._recent_changes import recent_changes
from services.domain.errors import OperatorError, SourceError
from services.domain.incidents import Incident
from services.domain.oncall import decode_chain
from services.domain.services import Service, find_service
from services.domain.supabase import project_ref
from services.postgres import incidents
from services.postgres.pool import Database

logger = logging.getLogger(__name__)

STEP_S = 8.0  # the doctor may ask Railway twice, five seconds each at most; then the next step is told


class Step(NamedTuple):
    """`what` and `command` are for when it cannot be told."""

    what: str
    command: str
    tell: Callable[[World, Incident], Awaitable[view.Content]]


class Briefing(Rounds):
    """`ring` wakes it; without one it looks every `poll_s()` seconds."""

    name = "briefing"

    def __init__(
        self,
        database: Database,
        world: World,
        board: Switchboard,
        *,
        poll_s: Callable[[], float],
        step_s: float = STEP_S,
    ) -> None:
        super().__init__()
        self._database = database
        self._world = world
        self._board = board
        self._poll_s = poll_s
        self._step_s = step_s

    async def look(self, fence: Fence) -> float:
        """Tell what is left to tell of every incident. Raises SourceError when the database is away."""
        async with self._database.read() as conn:
            unresolved = await incidents.list_open_incidents(conn)
        waiting = [one for one in unresolved if one.briefed < len(STEPS)]
        results = await asyncio.gather(*(self._brief(one, fence) for one in waiting), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return self._poll_s()

    async def _brief(self, incident: Incident, fence: Fence) -> None:
        numbers = range(incident.briefed + 1, len(STEPS) + 1)
        told = [asyncio.create_task(self._tell(number, incident)) for number in numbers]
        try:
            for number, task in zip(numbers, told, strict=True):
                if not await self._say(number, incident, await task, fence):
                    return  # somebody resolved it
        finally:
            for task in told:
                task.cancel()
            await asyncio.gather(*told, return_exceptions=True)

    async def _tell(self, number: int, incident: Incident) -> view.Content:
        """What the step says, or why it cannot."""
        step = STEPS[number - 1]
        try:
            async with asyncio.timeout(self._step_s):
                return await step.tell(self._world, incident)
        except TimeoutError:
            why = f"no answer within {self._step_s:g} s"
        except (OperatorError, SourceError) as error:
            why = error.why
        except Exception as error:  # one step's bug must not take the others away
            logger.error("step %d of the briefing failed: %s", number, type(error).__name__)  # noqa: TRY400 - may hold data
            why = f"its answer could not be understood ({type(error).__name__})"
        return view.missing_message(number, step.what, why, step.command)

    async def _say(self, number: int, incident: Incident, content: view.Content, fence: Fence) -> bool:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            is_next = await incidents.note_briefed(conn, incident_id=incident.id, part=number)
            if is_next:
                await self._board.say(conn, incident, f"{incident.message_key}:briefing:{number}", content)
        self._board.told()
        return is_next


async def _changes(world: World, incident: Incident) -> view.Content:  # noqa: ARG001 - as the others
    return view.changes_message(recent_changes(await gather_recent_changes(world)))


async def _logs(world: World, incident: Incident) -> view.Content:
    services = _services(incident)
    async with asyncio.TaskGroup() as group:
        read = [group.create_task(read_error_digest(world, service)) for service in services]
    findings = [finding for task in read for finding in task.result()]
    names = ", ".join(service.short for service in services)
    return view.findings_message(2, f"What the logs of {names} tell", f"logs {services[0].short}", findings)


async def _doctor(world: World, incident: Incident) -> view.Content:  # noqa: ARG001 - as the others
    facts = await gather_doctor(world)
    report = await asyncio.to_thread(doctor.report, facts)  # masking the lines of three logs takes its time
    return view.findings_message(3, "What the doctor finds", "doctor", report.findings)


async def _dashboards(world: World, incident: Incident) -> view.Content:  # noqa: ARG001 - as the others
    identity = world.settings.identity
    return view.dashboards_message(None if isinstance(identity, Invalid) else project_ref(identity.supabase_url))


async def _rollback(world: World, incident: Incident) -> view.Content:
    scope = _scope(incident)
    return view.rollback_message(scope, await read_offer(scope, world))


async def _oncall(world: World, incident: Incident) -> view.Content:  # noqa: ARG001 - as the others
    return view.oncall_message(decode_chain(incident.chain))


def _services(incident: Incident) -> list[Service]:
    """Those that it names; one that names none is about all."""
    named = [service for name in incident.services if (service := find_service(name))]
    return named or list(Service)


def _scope(incident: Incident) -> str:
    named = _services(incident)
    return named[0].short if len(named) == 1 else "all"


STEPS = (
    Step("What changed in the last two hours", "runs", _changes),
    Step("What the logs tell", "doctor", _logs),
    Step("What the doctor finds", "doctor", _doctor),
    Step("Supabase's dashboard", "health", _dashboards),
    Step("Roll back?", "deployments api", _rollback),
    Step("Who is called", "oncall", _oncall),
)
