"""Writes one diagnosis into each new incident's thread, and edits it as its parts arrive; leader only.

The parts of the runbook's escalation path are read at the same time, each within its own limit; a source that is away
is shown, and delays nothing. The number of posted parts is stored with each edit, so that a new leader continues where
the former one stopped. The cause and the first step are stored with the incident: its root message begins with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bot.config.fields import Invalid
from bot.facts.changes import gather_recent_changes
from bot.facts.doctor import gather_doctor
from bot.facts.rollback import read_offer
from bot.incidents.store import IncidentStore, diagnosis_key
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views import diagnosis as view
from bot.world import World
from playbooks import doctor
from playbooks.recent_changes import Changes, recent_changes
from playbooks.rollback_candidates import Candidate
from services.clients.postgres import incidents, timeline
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.similar import list_similar_incidents
from services.domain.errors import OperatorError, SourceError, Unavailable
from services.domain.incidents import BEGAN, SEEN_WITHIN, SIMILAR_LIMIT, Incident, SimilarIncident
from services.domain.services import Service, find_service, project_ref
from services.domain.systems import System

logger = logging.getLogger(__name__)

AT_ONCE = 2  # diagnoses; each reads all that `doctor` reads, and more would compete for database sessions
STEP_S = 8.0  # `doctor` may ask Railway twice, 5 s each at most; later parts are shown as unknown


@dataclass
class _Work:
    """The state of one tick: ids that were taken, incidents being read, errors. `changed`: look for incidents again."""

    taken: set[int] = field(default_factory=set)
    reading: int = 0
    failed: list[Exception] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class TriageSummary(PeriodicTask):
    """Writes the diagnoses. `step_s`: the time limit of each part, in seconds."""

    name = "triage summary"

    def __init__(
        self,
        database: Database,
        world: World,
        incident_store: IncidentStore,
        *,
        step_s: float = STEP_S,
    ) -> None:
        super().__init__(incident_store.wake_ups.incidents)
        self._database = database
        self._world = world
        self._incident_store = incident_store
        self._wake_ups = incident_store.wake_ups
        self._step_s = step_s

    async def tick(self, fence: Fence) -> float:
        """Write the parts that are missing in any incident's thread. Raises SourceError without a database."""
        work = _Work()
        with self._wake_ups.incidents.listen(work.changed.set):
            slots = (self._diagnose_worst_first(fence, work) for _ in range(AT_ONCE))
            ends = await asyncio.gather(*slots, return_exceptions=True)
        for error in [*filter(None, ends), *work.failed]:
            raise error
        return self._wake_ups.poll_s

    async def _diagnose_worst_first(self, fence: Fence, work: _Work) -> None:
        """Diagnose incidents until each is taken and none is being read; one that opens meanwhile is taken at once.

        An incident that fails is left for the next tick, and delays no other.
        """
        while True:
            work.changed.clear()
            incident = await self._take(work.taken)
            if incident is not None:
                await self._diagnose(incident, fence, work)
            elif work.reading == 0:
                return
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._wake_ups.poll_s):
                        await work.changed.wait()

    async def _diagnose(self, incident: Incident, fence: Fence, work: _Work) -> None:
        work.reading += 1
        try:
            await self._read_and_post(incident, fence)
        except Exception as error:
            work.failed.append(error)
        finally:
            work.reading -= 1
            work.changed.set()

    async def _take(self, taken: set[int]) -> Incident | None:
        """Take the most severe incident that waits, the newest of these; it may have opened after the tick began."""
        async with self._database.read() as conn:
            unresolved = await incidents.list_open_incidents(conn)
        waiting = [one for one in unresolved if one.briefed < len(PARTS) and one.id not in taken]
        worst = min(waiting, key=lambda one: (one.severity, -one.id), default=None)
        if worst is not None:
            taken.add(worst.id)
        return worst

    async def _read_and_post(self, incident: Incident, fence: Fence) -> None:
        """Read all parts, and post the known ones whenever one more arrives; a new leader reads posted ones again."""
        reading = [asyncio.create_task(self._read(name, incident)) for name in PARTS]
        parts = view.TriageFacts(similar=await self._read_similar(incident))
        try:
            for number, task in enumerate(asyncio.as_completed(reading), start=1):
                name, part = await task
                parts = replace(parts, **{name: part})
                if number > incident.briefed and not await self._post(number, incident, parts, fence):
                    return  # it was resolved
        finally:
            for one in reading:
                one.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def _read_similar(self, incident: Incident) -> Sequence[SimilarIncident] | view.Missing:
        """Read similar incidents first, which is quick, so that even the first post names them."""
        found = await self._world.read(
            list_similar_incidents, incident_id=incident.id, window=SEEN_WITHIN, limit=SIMILAR_LIMIT
        )
        return view.Missing(found.why) if isinstance(found, Unavailable) else found

    async def _read(self, name: str, incident: Incident) -> tuple[str, Any]:
        """Return the name of a part with its content, or with why it is unknown."""
        try:
            async with asyncio.timeout(self._step_s):
                return name, await PARTS[name](self._world, incident)
        except TimeoutError:
            why = f"no answer within {self._step_s:g} s"
        except (OperatorError, SourceError) as error:
            why = error.why
        except Exception as error:  # one part's bug must not take the others away
            logger.error("%s of the diagnosis failed: %s", name, type(error).__name__)  # noqa: TRY400 - may hold data
            why = f"its answer could not be understood ({type(error).__name__})"
        return name, view.Missing(why)

    async def _post(self, number: int, incident: Incident, parts: view.TriageFacts, fence: Fence) -> bool:
        services, identity = services_of(incident, self._world.system), self._world.settings.identity
        ref = None if isinstance(identity, Invalid) else project_ref(identity.supabase_url)
        summary, content = view.summary_of(parts, services), view.diagnosis_message(parts, services, ref)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            is_next = await incidents.note_briefed(conn, incident_id=incident.id, part=number, cause=summary.cause)
            if is_next:
                await self._incident_store.post(conn, incident, diagnosis_key(incident), content)
                await self._incident_store.update_message(conn, incident.id)
            if is_next and number == len(PARTS):
                await _record_start(conn, incident, summary)
        self._wake_ups.outbox.set()
        return is_next


async def _record_start(conn: Connection, incident: Incident, summary: view.Summary) -> None:
    """Put the beginning into the timeline, for the postmortem, unless it is later than the incident's opening."""
    if summary.began is None or summary.began[0] > incident.opened_at:
        return
    at, words = summary.began
    await timeline.add_event(conn, incident_id=incident.id, kind=BEGAN, text=words, happened_at=at)


async def _changes(world: World, incident: Incident) -> Changes:  # noqa: ARG001 - as the others
    return recent_changes(await gather_recent_changes(world))


async def _report(world: World, incident: Incident) -> doctor.Report:  # noqa: ARG001 - as the others
    facts = doctor.as_stored(await gather_doctor(world))
    return await asyncio.to_thread(doctor.report, facts)  # masking the lines of three logs takes its time


async def _candidates(world: World, incident: Incident) -> Sequence[Candidate]:
    """Return the deployments to roll back to; empty if a rollback is unlikely to help."""
    services = services_of(incident, world.system)
    if len(services) != 1:
        return ()
    offer = await read_offer(services[0].short, world)
    return offer.candidates if offer.doubt is None else ()


def services_of(incident: Incident, system: System) -> list[Service]:
    """Return the services that an incident names; all if it names none."""
    named = [service for name in incident.services if (service := find_service(name))]
    return named or list(system.services)


PARTS: Mapping[str, Callable[[World, Incident], Awaitable[object]]] = MappingProxyType(
    {"changes": _changes, "report": _report, "candidates": _candidates}
)
