"""Parts that several changes share: service states, load, locks, phases, gates, timeouts, fallbacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from playbooks.model import NextStep, NoPlan
from playbooks.steps import AwaitStopped, Step, StopService, VerifyNoOrphanedJobs
from services.domain import deployments
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.health import AnsweredWell
from services.domain.jobs import Heartbeat, QueueSnapshot, RunningJob, pending_words
from services.domain.services import Service, short_sha
from services.domain.systems import System
from services.domain.text import counted, dated_time
from services.domain.thresholds import StaleLimits

JOBS_NAMED = 5
_STARTS_IT = " starts it"  # the end of the warning; stored plans contain it


@dataclass(frozen=True)
class Load:
    """The queue and its workers. `stale_after`: the age past which a heartbeat is stale.

    `all_visible` is False if row-level security may hide rows from the role that read them. `answered`: the API's ok
    answers before it stopped answering well.
    """

    stale_after: StaleLimits
    queue: QueueSnapshot | Unavailable
    running: Sequence[RunningJob] | Unavailable
    beats: Sequence[Heartbeat] | Unavailable
    all_visible: bool = True
    answered: AnsweredWell | None = None
    system: System = field(kw_only=True)

    @property
    def as_of(self) -> datetime | None:
        """The database's clock when it was read; None if it did not answer."""
        return None if isinstance(self.queue, Unavailable) else self.queue.as_of

    def workers(self, services: Iterable[Service]) -> list[Heartbeat]:
        """The living workers of these services; empty if that cannot be read."""
        if isinstance(self.beats, Unavailable) or self.as_of is None:
            return []
        types = {service.worker_type for service in services} - {None}
        now = self.as_of
        return [beat for beat in self.beats if beat.worker_type in types and beat.is_beating(now, self.stale_after)]

    def held(self, services: Iterable[Service]) -> list[RunningJob]:
        """The jobs that living workers of these services hold, the longest running first."""
        if isinstance(self.running, Unavailable):
            return []
        ids = {beat.worker_id for beat in self.workers(services)}
        return sorted((job for job in self.running if job.locked_by in ids), key=lambda job: job.locked_at)


def stopping(load: Load, services: Sequence[Service], verb: str = "stops") -> list[str]:
    """The work that is interrupted when the workers of these services end: "stops 2 workers holding 7 jobs, oldest
    since 02:58 UTC; 318 pending", then the jobs by name. A number that cannot be read is shown as unknown."""
    if all(service.worker_type is None for service in services):
        return []
    if isinstance(load.beats, Unavailable) or load.as_of is None:
        return [f"{verb} an unknown number of workers"]
    if not load.workers(services):
        return [f"no {' or '.join(service.short for service in services if service.worker_type)} worker is alive"]
    jobs = load.held(services)
    line = (
        f"{verb} {counted(len(load.workers(services)), 'worker')}{_jobs_words(load, jobs, load.as_of)}{_waiting(load)}"
    )
    return [line, *_named(jobs)]


def backlog(load: Load) -> list[str]:
    """The backlog: "318 pending, oldest since 02:53 UTC"."""
    queue = load.queue
    if isinstance(queue, Unavailable):
        return []
    oldest = f", oldest since {dated_time(queue.oldest_pending_at, queue.as_of)}" if queue.oldest_pending_at else ""
    known = "" if load.all_visible else "at least "
    return [f"{known}{pending_words(queue.pending)} pending{oldest}, {queue.processing} processing"]


def doubts(load: Load) -> list[str]:
    """The facts that cannot be read, one line per source."""
    missing = {fact for fact in (load.queue, load.running, load.beats) if isinstance(fact, Unavailable)}
    lines = sorted(f"the {fact.source} does not report what runs: {fact.why}" for fact in missing)
    if not load.all_visible:
        lines.append("row-level security may hide jobs and workers: the real numbers may be higher")
    return lines


def _jobs_words(load: Load, jobs: Sequence[RunningJob], now: datetime) -> str:
    if isinstance(load.running, Unavailable):
        return ", their jobs are unknown"
    if not jobs:
        return " without a job"
    return f" holding {counted(len(jobs), 'job')}, oldest since {dated_time(jobs[0].locked_at, now)}"


def _waiting(load: Load) -> str:
    if isinstance(load.queue, Unavailable):
        return ""
    return f"; {'' if load.all_visible else 'at least '}{pending_words(load.queue.pending)} pending"


def _named(jobs: Sequence[RunningJob]) -> list[str]:
    if not jobs:
        return []
    more = f" and {len(jobs) - JOBS_NAMED} more" if len(jobs) > JOBS_NAMED else ""
    return ["running jobs: " + ", ".join(f"{job.id[:8]} ({job.job_type})" for job in jobs[:JOBS_NAMED]) + more]


STOP_GRACE_S = 20  # for the running job after SIGTERM (services/job_queue)

States = Mapping[Service, ServiceState] | Unavailable


@dataclass(frozen=True)
class Standing:
    """A service that a plan can start from: Railway knows it, and something was deployed to it."""

    service: Service
    state: ServiceState
    current: Deployment


def find_state(states: States, service: Service) -> ServiceState | NoPlan:
    """Railway's report of the service, or why there can be no plan for it."""
    state = deployments.find_state(states, service)
    if isinstance(state, Unavailable):
        return unavailable(state)
    return state or NoPlan(
        f"{service.short} is not in this Railway environment",
        f"give the service its name {service.value} there",
        (NextStep("Check the settings", "check-config"),),
    )


def find_standing(states: States, service: Service) -> Standing | NoPlan:
    """The service with its current deployment, or why there can be no plan for it."""
    state = find_state(states, service)
    if isinstance(state, NoPlan):
        return state
    if state.current is None:
        return NoPlan(
            f"{service.short} was never deployed",
            f"deploy a commit: deploy {service.short} <sha>",
            (NextStep(f"Deployments of {service.short}", f"deployments {service.short}"),),
        )
    return Standing(service, state, state.current)


def unavailable(fact: Unavailable) -> NoPlan:
    """There is no plan without this source."""
    return NoPlan(
        f"{fact.source} is required and not available: {fact.why}",
        "try again, or check the settings",
        (NextStep("Check the settings", "check-config"),),
        is_unknown=True,
    )


def draining_doubts(state: ServiceState) -> list[str]:
    """A warning if a worker would be killed before it has finished or handed back its job."""
    drains = state.draining_seconds
    if state.service.worker_type is None:
        return []
    if drains is None:
        return [f"{state.service.short}: drainingSeconds is not set in Railway, so running jobs may be cut off"]
    if drains <= STOP_GRACE_S:
        return [
            f"{state.service.short}: drainingSeconds is {drains}, and a worker takes up to {STOP_GRACE_S} s to end: "
            "running jobs may be cut off"
        ]
    return []


def coming_doubts(state: ServiceState, so: str = "wait until it has finished") -> list[str]:
    """A warning if a deployment of the service is in progress, and its consequence."""
    latest = state.latest
    if latest is not None and latest.status is DeploymentStatus.NEEDS_APPROVAL:
        sha = short_sha(latest.commit_sha)
        return [f"a deployment of {sha} to {state.service.short} waits for approval in Railway, and may start any time"]
    if latest is None or not latest.status.is_in_progress:
        return []
    return [f"a deployment of {short_sha(latest.commit_sha)} to {state.service.short} is in progress: {so}"]


def starts_stopped(service: Service, change: str) -> str:
    """The warning of a plan that starts a stopped service; `find_started` finds it again."""
    return f"{service.short} is stopped, and a {change}{_STARTS_IT}"


def find_started(warnings: Iterable[str]) -> tuple[str, ...]:
    """The warnings about a stopped service that the plan would start."""
    return tuple(line for line in warnings if line.endswith(_STARTS_IT))


def commit_words(deployment: Deployment) -> str:
    """ "8d02b64e (Index failed jobs)", as far as Railway reports it."""
    return f"{deployment.name} ({deployment.subject})" if deployment.subject else deployment.name


def replicas_words(count: int | None) -> str:
    """ "2 replicas"; "an unknown number of replicas" for None."""
    return "an unknown number of replicas" if count is None else counted(count, "replica")


Locks = Mapping[Service, Lock] | Unavailable


def refuse_locked(locks: Locks, services: Sequence[Service], now: datetime) -> NoPlan | None:
    """Why these services cannot be deployed to; None if none is locked. Locks that cannot be read refuse too."""
    if isinstance(locks, Unavailable):
        return unavailable(locks)
    held = [locks[service] for service in services if service in locks]
    if not held:
        return None
    whys = "; ".join(f"{lock.service.short} is locked by {lock.by} ({lock.reason})" for lock in held)
    first = held[0]
    return NoPlan(
        f"{whys}, since {dated_time(first.locked_at, now)}",
        f"talk to them, then unlock {first.service.short} <reason>",
        (NextStep("The run that locked it", f"run {first.run_id}") if first.run_id else NextStep("The locks", "home"),),
    )


BUILD_S = 1200  # the same after a build from the commit
SHA_S = 120  # the new process beats or answers within 60 s
STOP_MARGIN_S = 60  # on top of the draining time: Railway's own bookkeeping
SAMPLE_HEALTH_S = 30  # the golden path needs a healthy API; this is time for one that is just restarting
SAMPLE_S = 300  # one small file: seconds, after the jobs before it
JOBS_S = 300  # a requeued job is claimed in seconds, and its retries back off
UNSET_DRAINING_S = 60  # used if Railway does not report the configured value


def stop_timeout_s(draining_s: int | None) -> int:
    """Seconds that the last process of a service may take to end."""
    return (UNSET_DRAINING_S if draining_s is None else draining_s) + STOP_MARGIN_S


# Railway can start a stopped service only by redeploying it.
NEW_VARIABLES = "it starts with the current variables, even after a rollback to older ones"


def stop(found: Standing, from_: int) -> Iterator[Step]:
    """Stop a service gracefully, wait for its last process, and check for orphaned jobs."""
    yield StopService(found.service, found.current.id, from_)
    yield AwaitStopped(found.service, stop_timeout_s(found.state.draining_seconds))
    if found.service.worker_type:
        yield VerifyNoOrphanedJobs(found.service)


def fall_back(steps: Sequence[Step], failed: int) -> tuple[Step, ...]:
    """The steps to execute after step `failed` (an index): prove that it changed nothing, then undo those before it.

    Empty if everything stays as it is, because it is unknown how far the failed step got.
    """
    proof = steps[failed].prove_unchanged()
    return (proof, *(back for step in steps[:failed] for back in step.undo())) if proof else ()
