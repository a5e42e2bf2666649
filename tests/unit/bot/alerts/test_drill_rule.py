"""The worker of a drill: checked like a real worker, and never counted as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.rules import drill as rule
from bot.alerts.snapshot import Snapshot
from services.domain.alerts import Drill, Severity
from services.domain.people import Person
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from tests.unit.bot.alerts.builders import RULES

STALE = datetime(2025, 12, 2, 3, 0, 0, tzinfo=UTC)
WAIT = timedelta(minutes=5)
DRILL = Drill(7, Person("U1", "T1"), STALE - timedelta(seconds=5), STALE - WAIT, STALE, None, None)


def seen(after: timedelta, drill: Drill = DRILL) -> Snapshot:
    expected = dict.fromkeys(RUNBOOK.worker_types, 0)
    return Snapshot(STALE + after, StaleLimits(WAIT), "prod", (), expected, drills=(drill,), system=RUNBOOK)


@pytest.mark.parametrize(("after_ms", "is_trouble"), [(0, False), (1, True)])
def test_drill_rule_reports_from_the_moment_the_heartbeat_is_stale(after_ms: int, is_trouble: bool) -> None:
    [signal] = rule.evaluate(seen(timedelta(milliseconds=after_ms)), RULES)

    assert signal.is_trouble is is_trouble
    assert signal.fingerprint == "drill.7"


def test_drill_rule_pages_at_once_for_no_service_and_says_drill() -> None:
    [signal] = rule.evaluate(seen(timedelta(seconds=1)), RULES)

    assert (signal.severity, signal.wait, signal.finding.service) == (Severity.PAGE, timedelta(), None)
    assert signal.finding.title == "DRILL 7: a simulated worker, ingest is down (0 of 1)"


def test_a_drill_alert_is_fine_once_the_drill_is_over() -> None:
    [signal] = rule.evaluate(seen(WAIT, replace(DRILL, ended_at=STALE, report={})), RULES)

    assert not signal.is_trouble


def test_the_watch_looks_when_its_beat_goes_stale() -> None:
    assert rule.next_deadline(seen(timedelta(seconds=-3))) == STALE
    assert rule.next_deadline(seen(timedelta(seconds=3))) is None
