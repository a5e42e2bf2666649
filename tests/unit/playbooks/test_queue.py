"""The report of `queue`: long waits for locks are findings, and orphans come before the backlog."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.model import Status
from playbooks.queue import LONG_LOCK_WAIT_S, ROWS_OF_A_STATE, Facts, JobState, check, list_jobs
from services.domain.errors import Unavailable
from services.domain.jobs import LockWait, PendingJob, QueueSnapshot, RunningJob
from services.domain.services import WorkerType
from services.domain.systems import ENFORCEMENT_JOB_TYPE, JOB_TYPE, RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2025, 12, 20, 10, 0, tzinfo=UTC)
STALE = timedelta(minutes=5)
AWAY = Unavailable("database", "away")


def facts(
    waiting: tuple[PendingJob, ...] = (), running: tuple[RunningJob, ...] = (), locks: tuple[LockWait, ...] = ()
) -> Facts:
    return Facts(
        StaleLimits(STALE),
        QueueSnapshot(NOW, len(waiting), None, len(running), 0, 0),
        waiting,
        running,
        locks,
        system=RUNBOOK,
    )


def running(job_id: str, *, beat_ago: timedelta | None) -> RunningJob:
    return RunningJob(job_id, "t", 1, NOW, "w", NOW - beat_ago if beat_ago is not None else None)


@pytest.mark.parametrize(
    ("beat_ago", "state"),
    [
        (STALE, JobState.RUNNING),
        (STALE + timedelta(seconds=1), JobState.ORPHANED),
        (None, JobState.ORPHANED),
        (timedelta(), JobState.RUNNING),
    ],
)
def test_a_job_is_an_orphan_when_its_worker_does_not_beat(beat_ago: timedelta | None, state: JobState) -> None:
    assert [row.state for row in list_jobs(facts(running=(running("j", beat_ago=beat_ago),)))] == [state]


@pytest.mark.parametrize(
    ("job_type", "silent_for", "state"),
    [
        (JOB_TYPE, timedelta(minutes=2), JobState.RUNNING),
        (JOB_TYPE, timedelta(minutes=2, seconds=1), JobState.ORPHANED),
        (ENFORCEMENT_JOB_TYPE, timedelta(minutes=2, seconds=1), JobState.RUNNING),
        (ENFORCEMENT_JOB_TYPE, STALE, JobState.RUNNING),
        (ENFORCEMENT_JOB_TYPE, STALE + timedelta(seconds=1), JobState.ORPHANED),
    ],
)
def test_a_job_is_an_orphan_past_the_limit_of_the_workers_that_claim_it(
    job_type: str, silent_for: timedelta, state: JobState
) -> None:
    limits = StaleLimits(STALE, {WorkerType.INGEST: timedelta(minutes=2)})
    job = replace(running("j", beat_ago=silent_for), job_type=job_type)

    assert [row.state for row in list_jobs(replace(facts(running=(job,)), stale_after=limits))] == [state]


def test_orphans_come_first_and_no_state_crowds_out_the_others() -> None:
    waiting = tuple(PendingJob(f"p{n}", "t", 0, NOW, NOW) for n in range(99))

    rows = list_jobs(facts(waiting, (running("fine", beat_ago=STALE), running("orphan", beat_ago=None))))

    assert rows[0].id == "orphan"
    assert rows[-1].id == "fine"
    assert len(rows) == ROWS_OF_A_STATE + 2


@pytest.mark.parametrize(("waited_s", "status"), [(LONG_LOCK_WAIT_S, Status.OK), (LONG_LOCK_WAIT_S + 0.1, Status.WARN)])
def test_a_long_lock_wait_is_a_warning(waited_s: float, status: Status) -> None:
    lock = LockWait(7, "dragonfly-bot", "ShareLock", None, waited_s, (9,))

    finding = check(facts(locks=(lock,)))[-1]

    assert finding.status is status
    assert finding.detail.endswith("for a transaction, blocked by pid 9")


def test_queue_is_unknown_and_lists_no_jobs_when_unreadable() -> None:
    blind = Facts(StaleLimits(STALE), AWAY, AWAY, AWAY, AWAY, system=RUNBOOK)

    assert {finding.status for finding in check(blind)} == {Status.UNKNOWN}
    assert list_jobs(blind) == []


def test_no_next_step_leads_back_to_the_queue() -> None:
    blind = check(Facts(StaleLimits(STALE), AWAY, AWAY, AWAY, AWAY, system=RUNBOOK))

    assert [finding.next_step.command for finding in blind if finding.next_step] == ["heartbeats"]
