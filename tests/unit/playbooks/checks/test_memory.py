"""The check of memory: a ramp is reported 2 min before the limit, and a week of ordinary use is no false alarm."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp

import pytest

from playbooks.checks.memory import AtLimit, check, find_ramp, freed_peak, was_at_limit
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.usage import GONE_AFTER, InstanceUsage, Sample, ServiceUsage

NOW = datetime(2026, 11, 29, 2, tzinfo=UTC)
LIMIT = 0.5  # GB
EVERY = timedelta(seconds=30)  # between two samples, as requested from Railway
KEPT = 120  # samples: an hour
LATE = timedelta(seconds=80)  # sample, poll and evaluation, each at its latest
WITHIN, FROM = timedelta(minutes=8), 0.7

Share = Callable[[float], float]  # share of the limit by seconds since the start


def samples_of(shares: Sequence[float], *, until: datetime = NOW) -> list[Sample]:
    first = until - EVERY * (len(shares) - 1)
    return [Sample(first + EVERY * n, share * LIMIT) for n, share in enumerate(shares)]


def instance(shares: Sequence[float], *, until: datetime = NOW, limit: float | None = LIMIT) -> InstanceUsage:
    return InstanceUsage("i", samples_of(shares, until=until), limit)


def reported_at(
    shares: Sequence[float], *, freed_gb: float = 0.0, every: int = 1, started: int | None = None
) -> Iterator[int]:
    """Yield the numbers of the samples at which a ramp is reported. `freed_gb`: the peak freed in the days before.
    `started`: the sample at which the process started again."""
    samples = samples_of(shares)
    starts = [] if started is None else [samples[started].at]
    for end in range(2, len(shares) + 1, every):
        seen = InstanceUsage("i", samples[max(0, end - KEPT) : end], LIMIT)
        if shares[end - 1] >= FROM and find_ramp(
            seen, within=WITHIN, from_share=FROM, freed_gb=freed_gb, starts=starts
        ):
            yield end - 1


@pytest.mark.parametrize("per_minute", [0.003, 0.005, 0.01, 0.02, 0.04, 0.08])
def test_ramp_is_reported_two_minutes_before_the_limit(per_minute: float) -> None:
    noise = random.Random(7)  # noqa: S311 - simulated
    before = [0.4 + noise.gauss(0, 0.003) for _ in range(KEPT)]
    climb = [0.4 + per_minute * n / 2 for n in range(int(0.6 / per_minute * 2) + 2)]
    shares = before + [share + noise.gauss(0, 0.003) for share in climb]
    limit_at = next(n for n, share in enumerate(shares) if share >= 1.0)

    first = next(reported_at(shares))

    assert (limit_at - first) * EVERY - LATE >= timedelta(minutes=2)
    assert first > KEPT  # not before the climb began


def sawtooth(period_s: float, low: float, high: float) -> Share:
    return lambda at_s: low + (high - low) * ((at_s % period_s) / period_s)


def imports(at_s: float) -> float:
    """Every 3 h a file is read into memory within 4 min, processed and freed."""
    within = at_s % 10_800
    return 0.35 + (0.5 * min(within / 240, 1.0) if within < 1500 else 0.0)


def restarts(at_s: float) -> float:
    """Every 12 h a new process climbs to its usual level."""
    return 0.82 * (1 - exp(-(at_s % 43_200) / 180))


WEEK: dict[str, Share] = {
    "flat and full": lambda _: 0.9,
    "a garbage collector every four minutes": sawtooth(240, 0.5, 0.88),
    "every half hour": sawtooth(1800, 0.4, 0.9),
    "every fifty minutes": sawtooth(3000, 0.4, 0.9),
    "every day": sawtooth(86_400, 0.3, 0.95),
    "imports": imports,
    "restarts": restarts,
    "a cache that grows in jumps": lambda at_s: 0.4 + 0.07 * (at_s // 86_400),
}


@pytest.mark.parametrize("pattern", WEEK, ids=WEEK.keys())
def test_a_week_of_ordinary_memory_gives_no_false_alarm(pattern: str) -> None:
    """The day before the week is known only by the peaks from which memory was freed."""
    noise, share = random.Random(11), WEEK[pattern]  # noqa: S311 - simulated
    shares = [share(n * 30.0) + noise.gauss(0, 0.004) for n in range(8 * 2880)]
    freed_gb = freed_peak(instance(shares[:2880]))

    assert list(reported_at(shares[2880:], freed_gb=freed_gb, every=2)) == []


@pytest.mark.parametrize("per_minute", [0.03, 0.05])
def test_climb_that_ended_below_the_limit_is_reported_for_4_min_at_most(per_minute: float) -> None:
    steps = int(0.5 / per_minute * 2)
    climb = [0.4 + per_minute * n / 2 for n in range(steps + 1)]
    stopped_at = KEPT + steps

    reported = list(reported_at([*[0.4] * KEPT, *climb, *[climb[-1]] * 60]))

    assert reported[0] < stopped_at
    assert (reported[-1] - stopped_at) * EVERY <= timedelta(minutes=4)


def test_freed_is_what_memory_came_down_from() -> None:
    assert freed_peak(instance([0.4, 0.8, 0.6, 0.9, 0.91])) == 0.8 * LIMIT
    assert freed_peak(instance([0.4, 0.8, 0.7])) == 0.0  # freed would be 0.68 or less
    assert freed_peak(instance([])) == 0.0


def test_check_says_when_and_how_fast() -> None:
    climbing = instance([*[0.4] * 60, *[0.4 + 0.01 * n for n in range(46)]])

    finding = check(ServiceUsage([climbing]), Service.INGEST, now=NOW, within=WITHIN, from_share=FROM)

    assert finding.status is Status.WARN
    assert finding.title == "ingest will reach its memory limit at about 02:07 UTC"
    assert finding.detail == "0.43 of 0.50 GB, +0.01 GB per minute; Railway kills it there"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        Unavailable("Railway", "Not Authorized"),
        ServiceUsage([]),
        ServiceUsage([instance([0.9] * 60, limit=None)]),
        ServiceUsage([instance([])]),
        ServiceUsage([instance([0.9] * 60, until=NOW - GONE_AFTER - timedelta(seconds=1))]),
    ],
)
def test_memory_is_unknown_without_metrics(usage: ServiceUsage | Unavailable | None) -> None:
    assert check(usage, Service.INGEST, now=NOW, within=WITHIN, from_share=FROM).status is Status.UNKNOWN


def test_ramp_is_not_found_in_a_process_that_just_started() -> None:
    climbing = [0.08 * n for n in range(12)]

    assert find_ramp(instance(climbing), within=WITHIN, from_share=FROM) is None


def test_killed_at_its_limit_needs_a_sample_there_shortly_before() -> None:
    at_limit, below = instance([0.5, 0.95]), instance([0.5, 0.949])

    assert was_at_limit(ServiceUsage([below, at_limit]), NOW, {"i"}) == AtLimit(0.95 * LIMIT, LIMIT, is_identified=True)
    assert was_at_limit(ServiceUsage([below]), NOW, {"i"}) is None
    assert was_at_limit(ServiceUsage([at_limit]), NOW + timedelta(minutes=11), {"i"}) is None
    assert was_at_limit(ServiceUsage([instance([1.0], limit=None)]), NOW, {"i"}) is None
    assert was_at_limit(Unavailable("Railway", "away"), NOW, {"i"}) is None


def test_another_instance_at_its_limit_proves_nothing_about_the_one_that_crashed() -> None:
    full = instance([0.99, *[0.5] * 30, 0.96, 0.5])

    assert was_at_limit(ServiceUsage([full]), NOW, {"another"}) is None
    whole = ServiceUsage([replace(full, instance_id="")])
    assert was_at_limit(whole, NOW, {"another"}) == AtLimit(0.96 * LIMIT, LIMIT, is_identified=False)
    assert was_at_limit(ServiceUsage([full]), NOW, ()) == AtLimit(0.96 * LIMIT, LIMIT, is_identified=False)


def test_a_gone_instance_is_no_ramp_and_no_limit_is_met_in_the_past() -> None:
    climb = [*[0.4] * 60, *[0.4 + 0.01 * n for n in range(46)]]
    gone = instance(climb, until=NOW - GONE_AFTER - timedelta(seconds=1))
    steep = instance([*[0.4] * 20, *[0.4 + 0.06 * n for n in range(11)]], until=NOW - GONE_AFTER)

    judged = check(ServiceUsage([gone, instance([0.2])]), Service.INGEST, now=NOW, within=WITHIN, from_share=FROM)
    late = check(ServiceUsage([steep]), Service.INGEST, now=NOW, within=WITHIN, from_share=FROM)

    assert (judged.status, judged.title) == (Status.OK, "memory of ingest: 0.10 of 0.50 GB")
    assert late.title == "ingest will reach its memory limit at about 02:00 UTC"


def test_ramp_after_a_kill_at_the_limit_is_reported_again() -> None:
    """Railway restarts the instance with the same id: the climb before is no peak that was freed."""
    climb = [0.4 + 0.03 * n for n in range(21)]  # 6 % per minute
    before, after = [*[0.4] * 40, *climb], [*[0.4] * 20, *climb]

    reported = list(reported_at([*before, *after], freed_gb=freed_peak(instance([*before, 0.3]))))

    assert len(before) - 1 - reported[0] >= 6
    assert len(before) + len(after) - 1 - min(n for n in reported if n > len(before) + 10) >= 6


@pytest.mark.parametrize("ended_at", [0.85, 0.88], ids=["restarted at 85 %", "killed with its last sample at 88 %"])
def test_leak_is_reported_as_early_after_a_restart_below_the_limit(ended_at: float) -> None:
    """A restart in time must not make the next warning later."""
    climb = [0.4 + 0.015 * n for n in range(41)]  # 3 % per minute
    before = [*[0.4] * 40, *(share for share in climb if share <= ended_at)]
    after, started = [*[0.4] * 40, *climb], len(before)
    starts = [NOW - EVERY * (len(after) - 1)]
    freed_gb = freed_peak(instance([*before, *after]), starts)

    first = next(reported_at(before))
    again = min(n for n in reported_at([*before, *after], freed_gb=freed_gb, started=started) if n > started)

    assert freed_gb == 0.0
    assert again - started == first


def test_freed_peak_ignores_a_fall_near_a_start_only() -> None:
    """The start of another replica does not explain a fall long before it."""
    freed = instance([0.4, 0.8, *[0.5] * 10])
    fell_at = NOW - EVERY * 9

    assert freed_peak(freed, [fell_at]) == 0.0
    assert freed_peak(freed, [fell_at + timedelta(minutes=2)]) == 0.0
    assert freed_peak(freed, [fell_at + timedelta(minutes=2, seconds=1)]) == 0.8 * LIMIT


def test_freed_peak_ignores_a_restart() -> None:
    """Also one whose start was not reported: a new process begins below its usual level."""
    assert freed_peak(instance([0.4, 0.8, 0.36])) == 0.0
    assert freed_peak(instance([0.4, 0.8, 0.37])) == 0.8 * LIMIT
