"""The plan of `requeue`: capped, a few jobs first, and the same when another job fails meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from playbooks.failed_jobs import group
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.requeue import CAP, FIRST, Chosen, Facts, plan
from playbooks.steps import CheckDatabaseReady, RequeueJobs, VerifyJobsSettled
from services.domain.errors import Unavailable
from services.domain.jobs import FailedJob, Job
from tests.unit.playbooks.builders import NOW, beat, load, made, refused


def job(number: int, status: str = "failed", *, attempts: int = 5) -> Job:
    return Job(f"job-{number}", "simplicity_ingest", status, attempts, 5, NOW)


def facts(jobs: Sequence[Job], *, total: int | None = None, orphaned: Sequence[str] = ()) -> Facts:
    ids = tuple(one.id for one in jobs)
    chosen = Chosen(ids, total or len(ids), jobs, frozenset(orphaned), "ValueError: …")
    return Facts("prod", chosen, load(beats=[beat("ingest-1")], pending=3))


def test_one_job_is_put_back_and_watched() -> None:
    planned = made(plan(facts([job(1)]), "job-1"))

    assert planned.steps == (CheckDatabaseReady(), RequeueJobs(("job-1",)), VerifyJobsSettled(("job-1",), 300))
    assert (planned.risk, planned.title) == (Risk.LOW, "Requeue 1 job")
    assert planned.parameters == {"what": "job-1", "jobs": "job-1"}


def test_requeue_tries_a_few_jobs_before_the_rest() -> None:
    ids = tuple(f"job-{n}" for n in range(FIRST + 1))

    planned = made(plan(facts([job(n) for n in range(FIRST + 1)]), "g-1a2b3c4d"))

    assert planned.steps[1:] == (
        RequeueJobs(ids[:FIRST]),
        VerifyJobsSettled(ids[:FIRST], 300),
        RequeueJobs(ids[FIRST:]),
        VerifyJobsSettled(ids[FIRST:], 300),
    )
    jobs, error, order, queue = planned.impact
    assert jobs.startswith("6 of type simplicity_ingest ")
    assert jobs.endswith("(5 so far)")
    assert error == "their error: ValueError: …"
    assert order.startswith("5 first")
    assert queue == "3 pending, oldest since 11:51 UTC, 0 processing"


@pytest.mark.parametrize(("there", "moved"), [(CAP, CAP), (CAP + 1, CAP)])
def test_a_group_is_capped(there: int, moved: int) -> None:
    planned = made(plan(facts([job(n) for n in range(there)]), "g-1a2b3c4d"))

    requeued = [job_id for step in planned.steps if isinstance(step, RequeueJobs) for job_id in step.job_ids]
    assert len(requeued) == moved


def test_reports_how_many_there_are() -> None:
    assert made(plan(facts([job(1)], total=340), "g-1a2b3c4d")).impact[0].startswith("1 of 340 of type")


@pytest.mark.parametrize("status", ["pending", "processing", "completed"])
def test_requeue_refuses_a_job_that_has_not_failed(status: str) -> None:
    assert status in refused(plan(facts([job(1, status)]), "job-1")).why


def test_an_orphan_is_put_back() -> None:
    assert isinstance(plan(facts([job(1, "processing")], orphaned=["job-1"]), "orphans"), Plan)


def test_requeue_plan_keeps_changed_jobs_and_its_hash() -> None:
    before = made(plan(facts([job(1), job(2)]), "g-1a2b3c4d"))

    after = made(plan(facts([job(1), job(2, "pending")]), "g-1a2b3c4d"))

    assert after.hash == before.hash
    assert after.warnings == ("1 of them have changed since and stay as they are",)


def test_an_unknown_job_is_no_plan() -> None:
    assert "no failed job" in refused(plan(facts([]), "g-1a2b3c4d")).why


def test_without_orphans_there_is_nothing_to_do() -> None:
    assert "orphaned" in refused(plan(facts([]), "orphans")).why


def test_without_the_database_there_is_no_plan() -> None:
    away = Unavailable("database", "no answer within 5 s")

    assert refused(plan(replace(facts([]), chosen=away), "job-1")).is_unknown


def test_no_one_to_work_on_them_is_a_warning() -> None:
    assert made(plan(replace(facts([job(1)]), load=load()), "job-1")).warnings == (
        "no worker is alive: they will wait",
    )


def test_a_group_keeps_its_name_while_only_the_data_differs() -> None:
    def named(error: str, job_type: str = "simplicity_ingest") -> str:
        return group([FailedJob("j", job_type, 1, error, NOW)])[0].key

    assert named('ValueError: no county "Kings"') == named('ValueError: no county "Queens"')
    assert named('ValueError: no county "Kings"') != named("ValueError: no amount")
    assert named("ValueError: no amount") != named("ValueError: no amount", "enforcement_next_step")


@pytest.mark.parametrize(("count", "posted"), [(1, "the job does"), (2, "the 2 jobs do")])
def test_the_last_step_is_a_sentence_for_any_number_of_jobs(count: int, posted: str) -> None:
    assert VerifyJobsSettled(("j",) * count, 60).describe() == f"Verify that {posted} not fail again"
