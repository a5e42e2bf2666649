"""Shared helpers of the benchmarks: percentiles, memory, and the printing of figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` % of the values do not exceed. `values` must not be empty."""
    ordered = sorted(values)
    place = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(int(place) - 1, 0)]


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


async def seconds(call: Callable[[], Awaitable[object]]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    await call()
    return time.perf_counter() - started


def resident_mb(pid: int) -> float:
    """Current resident memory of a process."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Peak resident memory of a process."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, what: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(f"{what}:"))


def ms(value_s: float) -> str:
    return f"{value_s * 1000:.2f} ms"


def show(title: str, *rows: tuple[str, str]) -> None:
    """Print `(what, figure)` rows under a title; pytest runs with `-s`."""
    width = max(len(what) for what, _ in rows)
    lines = [f"  {what:<{width}}  {figure}" for what, figure in rows]
    sys.stdout.write("\n".join(["", "", title, *lines, ""]))
    sys.stdout.flush()
