"""Put jobs that failed, or lost their worker, back into the queue

When:   the cause of a group of failures is fixed, or a stop left orphaned jobs.
Effect: the jobs become pending, their attempts kept: a few first, the others when these do not fail again.
Undo:   none needed. Handlers are idempotent, and a job that fails again is failed as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from playbooks.change_parts import JOBS_S, Load, backlog, doubts, unavailable
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import CheckDatabaseReady, RequeueJobs, Step, VerifyJobsSettled
from services.domain.errors import Unavailable
from services.domain.jobs import Job
from services.domain.text import counted

CAP = 100  # jobs at a time: more than this should be looked at, not requeued with one click
ORPHANS = "orphans"  # the word for all jobs in processing whose worker is not alive
FIRST = 5  # tried before the others

FAILED = NextStep("Failed jobs", "failed-jobs")


@dataclass(frozen=True)
class Chosen:
    """The jobs that the words select. `job_ids`: oldest first, at most CAP of `total`. `error`: a group's, masked.

    `jobs`: their current state. `orphaned`: ids of jobs in processing whose worker is not alive.
    """

    job_ids: tuple[str, ...]
    total: int
    jobs: Sequence[Job]
    orphaned: frozenset[str] = frozenset()
    error: str | None = None

    @property
    def movable(self) -> list[Job]:
        """The jobs that may be requeued."""
        return [job for job in self.jobs if job.status == "failed" or job.id in self.orphaned]


@dataclass(frozen=True)
class Facts:
    environment: str
    chosen: Chosen | Unavailable
    load: Load


def plan(facts: Facts, what: str) -> Plan | NoPlan:
    """A plan to requeue `what`: a job's id, a group's name, or `orphans`. The plan's parameters name the jobs, so that
    another job that fails meanwhile changes nothing."""
    chosen = facts.chosen
    if isinstance(chosen, Unavailable):
        return unavailable(chosen)
    if not chosen.movable:
        return _nothing(what, chosen.jobs)
    job_ids = chosen.job_ids[:CAP]
    name = "" if what in job_ids else f" ({what})"
    return Plan(
        environment=facts.environment,
        playbook="requeue",
        parameters={"what": what, "jobs": ",".join(job_ids)},
        steps=tuple(_steps(job_ids)),
        risk=Risk.LOW,
        title=f"Requeue {counted(len(job_ids), 'job')}{name}",
        impact=tuple(_impact(facts, chosen, len(job_ids))),
        warnings=tuple(_warnings(facts, chosen, len(job_ids))),
    )


def _nothing(what: str, jobs: Sequence[Job]) -> NoPlan:
    if what == ORPHANS:
        return NoPlan("no job is orphaned", "nothing to do", (NextStep("The queue", "queue"),))
    if not jobs:
        return NoPlan(f"there is no failed job or group {what}", "see the failed jobs", (FAILED,))
    states = ", ".join(sorted({job.status for job in jobs}))
    return NoPlan(
        f"{what} needs no requeue: {states}",
        "only failed jobs and those without a living worker are requeued",
        (FAILED,),
    )


def _steps(job_ids: tuple[str, ...]) -> Iterator[Step]:
    yield CheckDatabaseReady()
    for batch in (job_ids[:FIRST], job_ids[FIRST:]):
        if batch:
            yield RequeueJobs(batch)
            yield VerifyJobsSettled(batch, JOBS_S)


def _impact(facts: Facts, chosen: Chosen, count: int) -> Iterator[str]:
    types = ", ".join(sorted({job.job_type for job in chosen.movable}))
    of = f" of {chosen.total}" if chosen.total > count else ""
    yield f"{count}{of} of type {types} become pending; attempts are kept ({_attempts(chosen.movable)})"
    if chosen.error:
        yield f"their error: {chosen.error}"
    if count > FIRST:
        others = "the other one" if count == FIRST + 1 else f"the other {count - FIRST}"
        yield f"{FIRST} first, {others} when these do not fail again"
    yield from backlog(facts.load)


def _attempts(jobs: Sequence[Job]) -> str:
    fewest, most = min(job.attempts for job in jobs), max(job.attempts for job in jobs)
    return f"{most} so far" if fewest == most else f"{fewest} to {most} so far"


def _warnings(facts: Facts, chosen: Chosen, count: int) -> Iterator[str]:
    if len(chosen.movable) < count:
        yield f"{count - len(chosen.movable)} of them have changed since and stay as they are"
    if (
        facts.load.as_of
        and not isinstance(facts.load.beats, Unavailable)
        and not facts.load.workers(facts.load.system.workers)
    ):
        yield "no worker is alive: they will wait"
    yield from doubts(facts.load)
