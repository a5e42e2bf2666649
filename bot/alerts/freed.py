"""Learns, per service, the memory peaks after which usage came down again, so that they raise no alert.

A fall because one process ended and another started does not count, however the first one ended. A start also resets
what was learned: the new process may be another version, and a wrong value must not stay.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from bot.alerts.snapshot import Snapshot
from playbooks.checks.memory import freed_peak
from services.domain.errors import Unavailable
from services.domain.services import Service


class FreedMemory:
    """Per service, the highest memory peak that came down without a restart, GB."""

    def __init__(self) -> None:
        self._gb: dict[Service, float] = {}
        self._started: dict[Service, datetime] = {}

    def update(self, snapshot: Snapshot) -> dict[Service, float]:
        """Learn from this snapshot, and return what is known now; 0 for services that have freed nothing yet."""
        used = {} if snapshot.usage is None or isinstance(snapshot.usage, Unavailable) else snapshot.usage
        for service in snapshot.system.services:
            starts = process_starts(snapshot, service)
            self._forget(service, starts)
            if service in used:
                freed = max((freed_peak(one, starts) for one in used[service].instances), default=0.0)
                self._gb[service] = max(self._gb.get(service, 0.0), freed)
        return dict(self._gb)

    def _forget(self, service: Service, starts: Collection[datetime]) -> None:
        newest, known = max(starts, default=None), self._started.get(service)
        if newest is None or (known is not None and newest <= known):
            return
        self._started[service] = newest
        self._gb.pop(service, None)


def process_starts(snapshot: Snapshot, service: Service) -> list[datetime]:
    """Times at which processes of the service started, as far as known. Workers report theirs; for the API they are the
    runs' acts on it and the changes of its active deployment's status."""
    workers = [beat for beat in snapshot.heartbeats if snapshot.system.service_of_worker(beat.worker_type) is service]
    acts = snapshot.work.acts if snapshot.work is not None else ()
    services = snapshot.services or {}
    state = None if isinstance(services, Unavailable) else services.get(service)
    moments = [
        *(beat.started_at for beat in workers),
        *(act.at for act in (() if isinstance(acts, Unavailable) else acts) if act.service is service),
        *(deployment.status_updated_at for deployment in (state.active if state is not None else ())),
    ]
    return [moment for moment in moments if moment is not None]
