"""The last known answers of Railway and the overrides, with their age, for use while the source does not answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service, WorkerType
from services.domain.systems import System

if TYPE_CHECKING:
    from services.domain.oncall import Override


@dataclass(frozen=True)
class KnownOverrides:
    """Overrides, oldest first, and their age. `problem`: why the newest read failed; None if it succeeded."""

    rows: tuple[Override, ...] | Unavailable
    age: timedelta = timedelta()
    problem: Unavailable | None = None


class OverrideMemory:
    """Remembers the last successful read of the overrides, in this process only."""

    def __init__(self) -> None:
        self._known: tuple[tuple[Override, ...], float] | None = None

    def recall(self, read: Sequence[Override] | Unavailable) -> KnownOverrides:
        """Return this read, or the last successful one with its age if this one failed."""
        now = time.monotonic()
        if not isinstance(read, Unavailable):
            self._known = (tuple(read), now)
            return KnownOverrides(tuple(read))
        if self._known is None:
            return KnownOverrides(read, problem=read)
        rows, read_at = self._known
        return KnownOverrides(rows, timedelta(seconds=now - read_at), read)


@dataclass(frozen=True)
class KnownReplicas:
    """Expected number of workers per type. `age`: of the oldest count; zero if Railway just reported it."""

    counts: Mapping[WorkerType, int | Unavailable]
    age: timedelta = timedelta()


class ReplicaMemory:
    """Remembers the last count of each worker type, in this process only."""

    def __init__(self) -> None:
        self._known: dict[WorkerType, tuple[int, float]] = {}

    def recall(self, services: Mapping[Service, ServiceState] | Unavailable, system: System) -> KnownReplicas:
        """Return the counts of this read; counts that it lacks come from an earlier read."""
        now = time.monotonic()
        if not isinstance(services, Unavailable):
            self._remember(services, now)
        ages = [now - at for _, at in self._known.values()]
        return KnownReplicas(
            {kind: self._count(service, kind, services) for service in system.workers if (kind := service.worker_type)},
            timedelta(seconds=max(ages, default=0.0)),
        )

    def _remember(self, services: Mapping[Service, ServiceState], now: float) -> None:
        for service, state in services.items():
            if service.worker_type is not None and state.replicas_wanted is not None:
                self._known[service.worker_type] = (state.replicas_wanted, now)

    def _count(self, service: Service, worker_type: WorkerType, services: object) -> int | Unavailable:
        if worker_type in self._known:
            return self._known[worker_type][0]
        if isinstance(services, Unavailable):
            return services
        return Unavailable("Railway", f"it names no replicas of {service}")


@dataclass(frozen=True)
class KnownServices:
    """Railway's report on the services, `age` old."""

    services: dict[Service, ServiceState]
    age: timedelta
