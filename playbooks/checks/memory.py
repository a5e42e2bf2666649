"""Predicts that a service will reach its memory limit, and detects crashes at the limit (runbook, "Troubleshooting").

A climb is reported while memory rises in a straight line towards the limit. Memory that climbs and is freed again, by
garbage collectors and imports, is known by its earlier peaks, and is reported only above them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.text import clock_time
from services.domain.usage import InstanceUsage, Sample, ServiceUsage

FIT_OVER = tuple(timedelta(minutes=minutes) for minutes in (3, 6, 15, 45))  # the first shows a fast ramp
FEWEST = 6  # samples of a fit
LOWEST_R2 = 0.9  # of the least squares: the share of the variance that the line explains
SMALLEST_RISE = 0.02  # of the limit, within a fit
STILL_CLIMBS = 0.85  # of the slope, in the newer half: a curve that levels off is no ramp
ABOVE_PEAKS = 0.03  # of the limit, above every earlier peak
KNOWN_FOR = timedelta(minutes=6)  # a process that just started climbs to its normal level
FREED = 0.85  # of a peak: memory that fell below this share was freed
ENDED_AT = 0.93  # of the limit: a fall from above it is no freed memory, but a killed and restarted process
STARTED_NEAR = timedelta(minutes=2)  # of a fall: then the fall is the start; samples and reports arrive late
STARTS_BELOW = 0.9  # of all earlier samples in the hour: a fall below it is a restart, by the bot or by others
AT_LIMIT = 0.95  # of the limit: a process that dies above it was killed for it; the last sample may be 30 s old
KILLED_WITHIN = timedelta(minutes=10)  # the last samples before a crash


@dataclass(frozen=True)
class Ramp:
    """Memory climbs by `gb_per_min`, and reaches the limit at `limit_at`."""

    gb_per_min: float
    limit_at: datetime


@dataclass(frozen=True)
class AtLimit:
    """The highest memory of the last minutes, at its limit. `is_identified`: True if it is that of an instance that
    crashed, so an OOM kill is the most probable cause."""

    memory_gb: float
    limit_gb: float
    is_identified: bool


def check(
    usage: ServiceUsage | Unavailable | None,
    service: Service,
    *,
    now: datetime,
    within: timedelta,
    from_share: float,
    freed_gb: float = 0.0,
    starts: Collection[datetime] = (),
) -> Finding:
    """`memory.<short name>`: warns of a ramp that reaches the limit within `within`, once `from_share` of the limit is
    used.

    `freed_gb`: the highest peak that an instance of the service came down from by itself; 0 if none is known. `starts`:
    the known start times of the service's processes.
    """
    name, short = f"memory.{service.short}", service.short
    if usage is None or isinstance(usage, Unavailable):
        why = usage.why if isinstance(usage, Unavailable) else "Railway reports no metrics of it"
        return Finding(name, Status.UNKNOWN, f"memory of {short} unknown", why, service)
    current = usage.current(now).instances
    if usage.instances and not current:
        return Finding(name, Status.UNKNOWN, f"memory of {short} unknown", "Railway's metrics are old", service)
    limited = [one for one in current if one.memory and one.memory_limit_gb]
    if not limited:
        return Finding(name, Status.UNKNOWN, f"memory limit of {short} unknown", "Railway reports none", service)
    ramps = [find_ramp(one, within=within, from_share=from_share, freed_gb=freed_gb, starts=starts) for one in limited]
    found = [(one, ramp) for one, ramp in zip(limited, ramps, strict=True) if ramp]
    if not found:
        busiest = max(limited, key=lambda one: one.memory_share or 0.0)
        return Finding(name, Status.OK, f"memory of {short}: {_use(busiest)}", "", service, _evidence(busiest))
    instance, ramp = min(found, key=lambda pair: pair[1].limit_at)
    limit_at = max(ramp.limit_at, now)
    title = f"{short} will reach its memory limit at about {clock_time(limit_at)}"
    detail = f"{_use(instance)}, {ramp.gb_per_min:+.2f} GB per minute; Railway kills it there"
    evidence = {**_evidence(instance), "limit_at": limit_at.isoformat(), "gb_per_min": round(ramp.gb_per_min, 4)}
    return Finding(
        name, Status.WARN, title, detail, service, evidence, NextStep(f"History of {short}", f"history 1h {short}")
    )


def find_ramp(
    instance: InstanceUsage,
    *,
    within: timedelta,
    from_share: float,
    freed_gb: float = 0.0,
    starts: Collection[datetime] = (),
) -> Ramp | None:
    """The ramp that reaches the limit first; None without one, or if too little is known."""
    samples, limit = _since_start(instance, starts), instance.memory_limit_gb
    if not limit or not samples or samples[-1].value < from_share * limit:
        return None
    if samples[-1].at - samples[0].at < KNOWN_FOR:
        return None
    if samples[-1].value < freed_gb + ABOVE_PEAKS * limit:
        return None
    ramps = (_fit(samples, limit, over) for over in FIT_OVER)
    soon = [ramp for ramp in ramps if ramp and ramp.limit_at - samples[-1].at <= within]
    return min(soon, key=lambda ramp: ramp.limit_at, default=None)


def freed_peak(instance: InstanceUsage, starts: Collection[datetime] = ()) -> float:
    """The highest memory, in GB, that the instance came down from by itself; 0 if it only climbed."""
    highest = freed = 0.0
    for sample in _since_start(instance, starts):
        highest = max(highest, sample.value)
        if sample.value <= FREED * highest:
            freed = highest
    return freed


def was_at_limit(usage: ServiceUsage | Unavailable | None, now: datetime, crashed: Collection[str]) -> AtLimit | None:
    """The memory of a crashed instance that was at its limit in its last minutes; None if none was. `crashed`: the ids
    of the crashed instances.

    If they are not known, or Railway does not separate instances, any instance of the service counts.
    """
    if usage is None or isinstance(usage, Unavailable):
        return None
    for one in usage.instances:
        is_identified = one.instance_id != "" and bool(crashed)
        lately = [sample.value for sample in one.memory if now - sample.at <= KILLED_WITHIN]
        if not one.memory_limit_gb or not lately or (is_identified and one.instance_id not in crashed):
            continue
        if max(lately) >= AT_LIMIT * one.memory_limit_gb:
            return AtLimit(max(lately), one.memory_limit_gb, is_identified)
    return None


def _since_start(instance: InstanceUsage, starts: Collection[datetime]) -> Sequence[Sample]:
    """The samples since the process started: Railway restarts an instance under the same id."""
    samples, limit = instance.memory, instance.memory_limit_gb or float("inf")
    falls = [
        place
        for place, (before, after) in enumerate(pairwise(samples), start=1)
        if after.value <= FREED * before.value
        and (
            before.value >= ENDED_AT * limit
            or _is_near(before.at, after.at, starts)
            or after.value <= STARTS_BELOW * min(sample.value for sample in samples[:place])
        )
    ]
    return samples[falls[-1] :] if falls else samples


def _is_near(before: datetime, after: datetime, starts: Collection[datetime]) -> bool:
    return any(before - STARTED_NEAR <= start <= after + STARTED_NEAR for start in starts)


def _fit(samples: Sequence[Sample], limit: float, over: timedelta) -> Ramp | None:
    newest = samples[-1]
    since = newest.at - over
    fitted = [sample for sample in samples if sample.at >= since]
    peak = max([sample.value for sample in samples if sample.at < since], default=0.0)
    if len(fitted) < FEWEST or newest.value < peak + ABOVE_PEAKS * limit:
        return None
    slope, r2 = _least_squares(fitted)
    rise = slope * (fitted[-1].at - fitted[0].at).total_seconds()
    late, _ = _least_squares(fitted[len(fitted) // 2 :])
    if rise < SMALLEST_RISE * limit or r2 < LOWEST_R2 or late < STILL_CLIMBS * slope:
        return None
    left = timedelta(seconds=max(limit - newest.value, 0.0) / slope)
    return Ramp(slope * 60, newest.at + left)


def _least_squares(samples: Sequence[Sample]) -> tuple[float, float]:
    """Slope in GB per second, and R²; (0, 0) if all samples have the same time or value."""
    xs = [(sample.at - samples[0].at).total_seconds() for sample in samples]
    ys = [sample.value for sample in samples]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    xx = sum((x - mean_x) ** 2 for x in xs)
    yy = sum((y - mean_y) ** 2 for y in ys)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    if not xx or not yy:
        return 0.0, 0.0
    return xy / xx, xy * xy / (xx * yy)


def _use(instance: InstanceUsage) -> str:
    return f"{instance.memory_gb:.2f} of {instance.memory_limit_gb:.2f} GB"


def _evidence(instance: InstanceUsage) -> dict[str, object]:
    return {"memory_gb": instance.memory_gb, "memory_limit_gb": instance.memory_limit_gb}
