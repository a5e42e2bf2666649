"""List every worker with its heartbeat, job and commit, problems first (runbook, "Worker Heartbeat Check")

When:   workers seem slow or missing; after scaling.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from playbooks.checks import heartbeats, workers
from playbooks.checks.heartbeats import Facts
from playbooks.model import Finding
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service
from services.domain.status import Status


class State(StrEnum):
    """The state of a worker, most urgent first."""

    MISSING = "missing"  # Railway should run it, but there was no heartbeat of it in the last 24 h
    STALE = "stale"  # it stopped sending heartbeats and was not replaced
    FAILING = "failing"  # it beats, and reports an error
    DEGRADED = "degraded"  # it beats, and reports reduced operation
    STUCK = "stuck"
    BEATING = "beating"
    REPLACED = "replaced"  # it died, and as many workers as expected are beating


@dataclass(frozen=True)
class WorkerRow:
    """One worker, or (`MISSING`) the place of one. `job_age`: None without a job; `age`: the heartbeat's."""

    state: State
    worker_type: str
    beat: Heartbeat | None = None
    age: timedelta | None = None
    job_age: timedelta | None = None


def check(facts: Facts, services: Sequence[Service] | None = None) -> list[Finding]:
    """Findings about the workers of these services, or of all: too few, then each one that beats and has a problem."""
    worker_facts = workers.Facts(facts.as_of, facts.heartbeats, facts.stale_after, system=facts.system)
    found = [*heartbeats.check(facts), *workers.check(worker_facts)]
    return [finding for finding in found if finding.service in (services or facts.system.workers)]


def list_workers(facts: Facts, services: Sequence[Service] | None = None) -> list[WorkerRow]:
    """A row for each worker that has not reported a stop and for each missing one; the most urgent first.

    A worker type that this version does not know is listed if all services are. Empty if nothing can be read.
    """
    if isinstance(facts.heartbeats, Unavailable):
        return []
    services = services or facts.system.workers
    types = {service.worker_type for service in services if service.worker_type}
    seen = {beat.worker_type for beat in facts.heartbeats}
    strange = seen - set(facts.system.worker_types) if len(services) == len(facts.system.workers) else set()
    alive = [beat for beat in facts.heartbeats if not beat.is_stopped]
    rows = [
        row for kind in (*types, *strange) for row in _rows(facts, kind, [b for b in alive if b.worker_type == kind])
    ]
    order = list(State)
    return sorted(rows, key=lambda row: (order.index(row.state), row.worker_type, row.age or timedelta()))


def stopped_count(facts: Facts, services: Sequence[Service] | None = None) -> int:
    """The number of workers that reported a stop in the time that was read."""
    if isinstance(facts.heartbeats, Unavailable):
        return 0
    types = {service.worker_type for service in services or facts.system.workers}
    return sum(beat.is_stopped and beat.worker_type in types for beat in facts.heartbeats)


def _rows(facts: Facts, worker_type: str, own: Sequence[Heartbeat]) -> Iterator[WorkerRow]:
    """The workers of one type, then its missing ones. The newest stale ones count as those that were not replaced."""
    beating = [beat for beat in own if beat.is_beating(facts.as_of, facts.stale_after)]
    stale = sorted((beat for beat in own if beat not in beating), key=lambda beat: beat.age(facts.as_of))
    expected = next((count for known, count in facts.expected.items() if known == worker_type), None)
    lacking = max(expected - len(beating), 0) if isinstance(expected, int) else len(stale)
    yield from (_row(facts, _beating_state(beat, facts), beat) for beat in beating)
    yield from (_row(facts, State.STALE, beat) for beat in stale[:lacking])
    yield from (_row(facts, State.REPLACED, beat) for beat in stale[lacking:])
    if facts.all_visible:
        yield from [WorkerRow(State.MISSING, worker_type)] * (lacking - len(stale))


def _row(facts: Facts, state: State, beat: Heartbeat) -> WorkerRow:
    return WorkerRow(state, beat.worker_type, beat, beat.age(facts.as_of), workers.job_age(beat, facts.as_of))


def _beating_state(beat: Heartbeat, facts: Facts) -> State:
    if beat.trouble is Status.FAIL or beat.database_ok is False:
        return State.FAILING
    if beat.trouble is Status.WARN:
        return State.DEGRADED
    return State.STUCK if workers.is_stuck(beat, facts.as_of) else State.BEATING
