"""Railway's configured replicas as last known, for the times when Railway is silent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service, WorkerType


@dataclass(frozen=True)
class KnownReplicas:
    """How many workers of each type should run. `age`: how old the oldest count is; zero when Railway just said so."""

    counts: Mapping[WorkerType, int | Unavailable]
    age: timedelta = timedelta()


class ReplicaMemory:
    """Remembers the last count of each worker type, in this process only."""

    def __init__(self) -> None:
        self._known: dict[WorkerType, tuple[int, float]] = {}

    def recall(self, services: Mapping[Service, ServiceState] | Unavailable) -> KnownReplicas:
        """The counts of this reading; what it lacks comes from an earlier one."""
        now = time.monotonic()
        if not isinstance(services, Unavailable):
            self._remember(services, now)
        ages = [now - at for _, at in self._known.values()]
        return KnownReplicas(
            {worker_type: self._count(worker_type, services) for worker_type in WorkerType},
            timedelta(seconds=max(ages, default=0.0)),
        )

    def _remember(self, services: Mapping[Service, ServiceState], now: float) -> None:
        for worker_type in WorkerType:
            state = services.get(worker_type.service)
            if state is not None and state.replicas_wanted is not None:
                self._known[worker_type] = (state.replicas_wanted, now)

    def _count(self, worker_type: WorkerType, services: object) -> int | Unavailable:
        if worker_type in self._known:
            return self._known[worker_type][0]
        if isinstance(services, Unavailable):
            return services
        return Unavailable("Railway", f"it names no replicas of {worker_type.service}")
