"""The local Railway's metrics: what its processes really use, and what a person makes up to see a ramp."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KEPT = timedelta(hours=1)
EVERY = timedelta(seconds=30)
LIMIT_GB = 0.5  # of each instance; its processes use a fraction of it
CPU_LIMIT = 2.0
FLAT, RAMP_FROM, RAMP_PER_MIN = 0.4, 0.7, 0.06  # of the limit, for a made-up ramp: it began five minutes ago
_GB = 1e9


@dataclass(frozen=True)
class Point:
    at: datetime
    memory_gb: float
    cpu: float


class Meter:
    """Keeps an hour of one service's instances. `measure` looks at its processes, at most every `EVERY`."""

    def __init__(self) -> None:
        self.points: dict[str, deque[Point]] = {}
        self._ramp_since: datetime | None = None

    def start_ramp(self, now: datetime) -> None:
        """Memory has been climbing for five minutes after a flat hour, and continues up to its limit."""
        self._ramp_since = now
        moments = [now - EVERY * n for n in range(int(KEPT / EVERY) - 1, 0, -1)]
        for points in self.points.values():
            points.clear()
            points.extend(Point(moment, self._ramp_gb(moment), 0.01) for moment in moments)

    def stop_ramp(self) -> None:
        """Memory is what it is again."""
        self._ramp_since = None

    @property
    def is_full(self) -> bool:
        """Whether a made-up ramp has met the limit by now: the system kills the process."""
        newest = max((points[-1].memory_gb for points in self.points.values() if points), default=0.0)
        return self._ramp_since is not None and newest >= LIMIT_GB

    def measure(self, pids: dict[str, int], now: datetime) -> None:
        """Add a point per instance. `pids`: by instance id; those that run."""
        for instance_id, pid in pids.items():
            points = self.points.setdefault(instance_id, deque())
            if points and now - points[-1].at < EVERY:
                continue
            points.append(Point(now, self._memory_gb(pid, now), 0.01))
        for instance_id, points in list(self.points.items()):
            while points and now - points[0].at > KEPT:
                points.popleft()
            if not points:
                del self.points[instance_id]

    def _memory_gb(self, pid: int, now: datetime) -> float:
        if self._ramp_since is None:
            return _resident_gb(pid)
        return self._ramp_gb(now)

    def _ramp_gb(self, moment: datetime) -> float:
        assert self._ramp_since is not None  # noqa: S101 - the caller asked
        minutes = (moment - self._ramp_since).total_seconds() / 60
        return min(max(RAMP_FROM + RAMP_PER_MIN * minutes, FLAT), 1.0) * LIMIT_GB


def _resident_gb(pid: int) -> float:
    """0.1 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.1
    return pages * os.sysconf("SC_PAGE_SIZE") / _GB


_VALUES: dict[str, Callable[[Point], float]] = {
    "MEMORY_USAGE_GB": lambda point: point.memory_gb,
    "MEMORY_LIMIT_GB": lambda _: LIMIT_GB,
    "CPU_USAGE": lambda point: point.cpu,
    "CPU_LIMIT": lambda _: CPU_LIMIT,
    "NETWORK_RX_GB": lambda point: point.memory_gb / 100,  # made up: nothing here counts bytes
    "NETWORK_TX_GB": lambda point: point.memory_gb / 50,
}


def answer_metrics(
    meter: Meter, service_id: str, measurements: Sequence[str], since: datetime
) -> Iterator[dict[str, Any]]:
    """`MetricsResult`s grouped by service and instance; a measurement that is not taken here has none."""
    for instance_id, points in meter.points.items():
        for kind in measurements:
            values = [
                {"ts": int(point.at.timestamp()), "value": _VALUES[kind](point)}
                for point in points
                if kind in _VALUES and point.at >= since
            ]
            if values:
                tags = {"serviceId": service_id, "deploymentInstanceId": instance_id}
                yield {"measurement": kind, "tags": tags, "values": values}


def parse_moment(text: str) -> datetime:
    """As GraphQL hands it over; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
