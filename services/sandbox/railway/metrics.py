"""The local Railway's metrics: the real usage of its processes, and a made-up memory ramp."""

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
LIMIT_GB = 0.5  # per instance, whose processes use a fraction of it
CPU_LIMIT = 2.0
FLAT, RAMP_FROM, RAMP_PER_MIN = 0.4, 0.7, 0.06  # parts of the limit, for a ramp that began 5 min before its start
_GB = 1e9


@dataclass(frozen=True)
class Point:
    at: datetime
    memory_gb: float
    cpu: float


class Meter:
    """Keeps the metrics of one service's instances for 1 h. `measure` adds points, at most one per `EVERY`."""

    def __init__(self) -> None:
        self.points: dict[str, deque[Point]] = {}
        self._ramp_since: datetime | None = None

    def start_ramp(self, now: datetime) -> None:
        """Make up memory that has been rising for 5 min after a flat hour, and continues up to its limit."""
        self._ramp_since = now
        moments = [now - EVERY * n for n in range(int(KEPT / EVERY) - 1, 0, -1)]
        for points in self.points.values():
            points.clear()
            points.extend(Point(moment, self._ramp_gb(moment), 0.01) for moment in moments)

    def stop_ramp(self) -> None:
        """Report real memory again."""
        self._ramp_since = None

    @property
    def is_full(self) -> bool:
        """True if a made-up ramp has reached the limit, at which the system kills the process."""
        newest = max((points[-1].memory_gb for points in self.points.values() if points), default=0.0)
        return self._ramp_since is not None and newest >= LIMIT_GB

    def measure(self, pids: dict[str, int], now: datetime) -> None:
        """Add a point per running instance. `pids`: by instance id."""
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
        assert self._ramp_since is not None  # noqa: S101 - the caller has checked or set it
        minutes = (moment - self._ramp_since).total_seconds() / 60
        return min(max(RAMP_FROM + RAMP_PER_MIN * minutes, FLAT), 1.0) * LIMIT_GB


def _resident_gb(pid: int) -> float:
    """The process's resident memory in GB; 0.1 if the system does not report it."""
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
    "NETWORK_RX_GB": lambda point: point.memory_gb / 100,  # made up: network traffic is not measured here
    "NETWORK_TX_GB": lambda point: point.memory_gb / 50,
}


def answer_metrics(
    meter: Meter, service_id: str, measurements: Sequence[str], since: datetime
) -> Iterator[dict[str, Any]]:
    """`MetricsResult`s grouped by service and instance; measurements that are not taken here are left out."""
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
    """Parse a GraphQL time; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
