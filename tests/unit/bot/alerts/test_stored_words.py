"""Stored texts of alerts and diagnoses name clock times and no ages: people read them minutes or days later."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from bot.views.diagnosis import TriageFacts, diagnosis_message
from playbooks import doctor
from playbooks.checks import oncall
from playbooks.recent_changes import Changes
from services.domain.freezes import Lock
from services.domain.jobs import LockWait
from services.domain.services import Service
from tests.unit.bot.alerts.builders import NOW, ago
from tests.unit.bot.alerts.test_rules import ENFORCEMENT, INGEST, NO_BATCH, beat, queue, results, work
from tests.unit.playbooks.test_diagnosis import CASES

RELATIVE = re.compile(r"\b\d+ (?:s|min|h|d) ago\b|\bfor \d+ (?:s|min|h|d)\b|\bin \d+ (?:h|d)\b")
BUSY: dict[str, Any] = {"current_job_id": "j1", "current_job_started_at": ago(7200)}
LOCK = Lock(Service.API, "U1", "rolled back from a to b", NOW - timedelta(days=3), 12)
WAIT = LockWait(5, "dragonfly-worker", "AccessExclusiveLock", "ops.job_queue", 40.0, (7,))
TROUBLES: dict[str, Any] = {
    "a worker is stale, and the replicas are known from before": ([beat(600)], {"expected_age": timedelta(minutes=9)}),
    "a worker is stuck on one job": ([beat(**BUSY), beat(id="e1", kind=ENFORCEMENT)], {}),
    "a worker does not finish starting": ([beat(status="starting", started_at=ago(900))], {}),
    "a worker is two days old": ([beat(172_800)], {"expected": {INGEST: 2, ENFORCEMENT: 1}}),
    "jobs wait": ([], {"work": work(queue=queue(oldest_s=3600, failed=20, orphaned=3), lock_waits=(WAIT,))}),
    "a lock is forgotten": ([], {"work": work(locks=(LOCK,))}),
    "nobody is on call": ([], {"oncall": oncall.Facts(NO_BATCH, (), NOW)}),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_an_alert_stores_no_relative_age(name: str) -> None:
    beats, more = TROUBLES[name]

    found = [one.finding for one in results(*beats, **more).values() if one.is_trouble]

    assert found
    assert not [f"{one.title}; {one.detail}" for one in found if RELATIVE.search(f"{one.title}; {one.detail}")]


@pytest.mark.parametrize("name", CASES)
def test_a_diagnosis_stores_no_relative_age(name: str) -> None:
    report = doctor.report(doctor.as_stored(CASES[name].facts))

    text, blocks = diagnosis_message(TriageFacts(Changes((), ()), report, ()), [Service.INGEST], None)

    assert not RELATIVE.search(text + str(blocks))


def test_a_lock_of_another_day_is_reported_with_its_day() -> None:
    one = results(work=work(locks=(LOCK,)))["locks.api"].finding

    assert one.title.endswith(f" since {LOCK.locked_at:%-d %b %H:%M} UTC")
