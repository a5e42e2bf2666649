"""The guard of a soak, which ends it when an added replica does harm: both sides of each limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.runs.executors.soak import Facts, find_breach, find_missing_heartbeats
from services.domain.jobs import MISSED, Heartbeat, JobOutcomes, LockWait

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def beat(*, ago: timedelta = timedelta(), status: str = "running") -> Heartbeat:
    return Heartbeat("w", "ingest_processor", status, NOW - ago)


def lock(waiting_s: float) -> LockWait:
    return LockWait(1, "dragonfly-worker", "ExclusiveLock", "ops.job_queue", waiting_s)


FINE = Facts(
    as_of=NOW,
    began=NOW - timedelta(seconds=90),
    before=JobOutcomes(completed=594, failed=6),
    since=JobOutcomes(completed=90, failed=1),
    pending=100,
    locks=[],
    beats=[beat(), beat()],
    expected=2,
)


def test_nothing_worse_is_no_breach() -> None:
    assert find_breach(FINE) is None


@pytest.mark.parametrize(
    ("beats", "breach"),
    [
        ([beat(ago=MISSED), beat()], None),
        ([beat(ago=MISSED + timedelta(seconds=1)), beat()], "1 of 2 workers are alive"),
        ([beat(status="stopped"), beat()], "1 of 2 workers are alive"),
        ([], "0 of 2 workers are alive"),
    ],
)
def test_lost_worker_is_a_breach(beats: list[Heartbeat], breach: str | None) -> None:
    assert find_breach(replace(FINE, beats=beats)) == breach


def test_crashed_instance_is_a_breach_though_its_beat_is_fresh() -> None:
    assert find_breach(replace(FINE, crashed=1)) == "1 instance crashed (Railway)"


@pytest.mark.parametrize(
    ("ago_s", "silent"),
    [(35, None), (36, "1 of 2 workers were alive in the last 35 s")],
)
def test_soak_ends_once_each_worker_has_beaten_in_the_last_interval(ago_s: float, silent: str | None) -> None:
    assert find_missing_heartbeats(replace(FINE, beats=[beat(ago=timedelta(seconds=ago_s)), beat()])) == silent


def test_beat_from_before_the_soak_proves_nothing_of_it() -> None:
    short = replace(FINE, began=NOW - timedelta(seconds=20))

    assert find_missing_heartbeats(replace(short, beats=[beat(ago=timedelta(seconds=21)), beat()])) is not None
    assert find_missing_heartbeats(replace(short, beats=[beat(ago=timedelta(seconds=20)), beat()])) is None


def test_the_soak_of_an_api_waits_for_no_heartbeat() -> None:
    assert find_missing_heartbeats(replace(FINE, beats=[], expected=None)) is None


def test_service_that_does_not_beat_is_not_missed() -> None:
    assert find_breach(replace(FINE, beats=[], expected=None)) is None


@pytest.mark.parametrize(("waiting_s", "is_breach"), [(9.9, False), (10.0, True), (90.0, True), (91.0, False)])
def test_a_lock_that_waits_for_10_s_and_began_during_the_soak_is_a_breach(waiting_s: float, is_breach: bool) -> None:
    assert (find_breach(replace(FINE, locks=[lock(waiting_s)])) is not None) is is_breach


@pytest.mark.parametrize(
    ("completed", "failed", "is_breach"), [(89, 11, False), (88, 12, True), (0, 9, False), (80, 0, False)]
)
def test_larger_failed_share_is_a_breach(completed: int, failed: int, is_breach: bool) -> None:
    """The share was 1 % before the soak: a breach is more than 11 %, of at least 10 jobs."""
    since = JobOutcomes(completed, failed)

    assert (find_breach(replace(FINE, since=since, pending=0)) is not None) is is_breach


@pytest.mark.parametrize(
    ("completed", "pending", "elapsed_s", "is_breach"),
    [(45, 100, 90, False), (44, 100, 90, True), (44, 0, 90, False), (20, 100, 59, False)],
)
def test_half_the_pace_is_a_breach_only_while_work_waits(
    completed: int, pending: int, elapsed_s: int, is_breach: bool
) -> None:
    """The pace was 60 jobs per minute before the soak."""
    facts = replace(FINE, since=JobOutcomes(completed, 0), pending=pending, began=NOW - timedelta(seconds=elapsed_s))

    assert (find_breach(facts) is not None) is is_breach
