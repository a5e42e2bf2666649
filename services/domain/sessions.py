"""How many database sessions one replica may hold; counted before replicas are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.domain.errors import Unavailable
from services.domain.services import Service

POOL_SIZE, CONCURRENCY = "POOL_SIZE", "CONCURRENCY"  # the variables that a process makes its pool by


@dataclass(frozen=True)
class Defaults:
    """Of a process whose variables say nothing. `beside`: what listens, beats or probes outside the pool."""

    pool_size: int
    beside: int
    concurrency: int = 0  # of jobs

    @property
    def sessions(self) -> int:
        return _sessions(self, self.pool_size, self.concurrency)


DEFAULTS = {
    Service.API: Defaults(pool_size=5, beside=1),
    Service.INGEST: Defaults(pool_size=2, beside=2, concurrency=1),
    Service.ENFORCEMENT: Defaults(pool_size=2, beside=2, concurrency=2),
}


def sessions_per_replica(service: Service, variables: Mapping[str, str]) -> int | Unavailable:
    """By the variables of its next deployment; names in any case, as the processes read them."""
    defaults = DEFAULTS[service]
    set_to = {name.upper(): value.strip() for name, value in variables.items() if value.strip()}
    pool_size = _read(set_to, POOL_SIZE, defaults.pool_size)
    concurrency = _read(set_to, CONCURRENCY, defaults.concurrency) if service.worker_type else 0
    if isinstance(pool_size, Unavailable):
        return pool_size
    if isinstance(concurrency, Unavailable):
        return concurrency
    return _sessions(defaults, pool_size, concurrency)


def _sessions(defaults: Defaults, pool_size: int, concurrency: int) -> int:
    """A worker's pool grows with its concurrency: one session a job, and one for the heartbeat's probe."""
    return max(pool_size, concurrency + 1) + defaults.beside


def _read(variables: Mapping[str, str], name: str, default: int) -> int | Unavailable:
    if name not in variables:
        return default
    try:
        number = int(variables[name])
    except ValueError:
        number = 0
    return number if number > 0 else Unavailable("Railway", f"its {name} is not a positive whole number")
