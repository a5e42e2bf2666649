"""Values recorded every minute, and a window of them in equal steps. Unknown is None, never 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Protocol, TypeVar

from services.domain.usage import Usage

KEPT = timedelta(days=30)
DATABASE = "database"  # the key for the database's machine in a record's usage, as Supabase reports it


class WorkerState(IntEnum):
    """A worker's state. The worst is the highest, and a step shows its worst."""

    ENDED = 0
    ALIVE = 1
    WARNING = 2
    STALE = 3


@dataclass(frozen=True)
class HistoryRecord:
    """The values of one moment. `completed`, `failed`: jobs per minute. `workers`: `{worker id: (worker type, state)}`;
    `usage`: `{service: Usage}`. None means unknown."""

    at: datetime
    pending: int | None = None
    completed: float | None = None
    failed: float | None = None
    api_ms: float | None = None
    connections: int | None = None
    database_gb: float | None = None
    workers: Mapping[str, tuple[str, WorkerState]] | None = None
    usage: Mapping[str, Usage] | None = None


@dataclass(frozen=True)
class HistoryStep:
    """The highest values in one step; `completed` and `failed` are means of jobs per minute."""

    begins_at: datetime
    pending: int | None
    completed: float | None
    failed: float | None
    api_ms: float | None
    connections: int | None
    database_gb: float | None


@dataclass(frozen=True)
class WorkerStep:
    """The worst state of one worker in a step."""

    begins_at: datetime
    worker_id: str
    worker_type: str
    state: int


@dataclass(frozen=True)
class UsageStep:
    """The highest resource use of one service in a step."""

    begins_at: datetime
    service: str
    memory_gb: float | None
    memory_limit_gb: float | None
    cpu: float | None
    cpu_limit: float | None
    disk_gb: float | None
    received_gb: float | None
    sent_gb: float | None


class _Step(Protocol):
    @property
    def begins_at(self) -> datetime: ...


_S = TypeVar("_S", bound=_Step)
_V = TypeVar("_V")


@dataclass(frozen=True)
class History:
    """A window from `since`, of `cells` steps of length `step`. Steps without any known value are absent.

    `deploys`: the start times of deployments, oldest first.
    """

    since: datetime
    step: timedelta
    cells: int
    steps: Sequence[HistoryStep] = ()
    workers: Sequence[WorkerStep] = ()
    usage: Sequence[UsageStep] = ()
    deploys: Sequence[datetime] = ()

    @property
    def until(self) -> datetime:
        return self.since + self.step * self.cells

    def cell_of(self, moment: datetime) -> int:
        """The index, from 0, of the step that contains a moment of the window."""
        return min(max(int((moment - self.since) / self.step), 0), self.cells - 1)

    def laid_out(self, steps: Sequence[_S], read: Callable[[_S], _V | None]) -> tuple[_V | None, ...]:
        """One value per cell, None if it is unknown."""
        cells: list[_V | None] = [None] * self.cells
        for one in steps:
            cells[self.cell_of(one.begins_at)] = read(one)
        return tuple(cells)
