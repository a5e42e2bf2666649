"""Checks that each service has an active deployment, and reports locks and freezes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState, list_others
from services.domain.errors import Unavailable
from services.domain.freezes import Freeze, Lock, freeze_words
from services.domain.services import Service, short_sha
from services.domain.systems import System
from services.domain.text import clock_time, lasting
from services.domain.thresholds import LOCK_FORGOTTEN_AFTER

# The finding for the newest deployment while another one serves; {sha} is its commit. A status that is not here gives
# no finding: a SKIPPED deployment was not built, because the push changed no file that the service watches.
BESIDE: Mapping[DeploymentStatus, tuple[Status, str]] = MappingProxyType(
    {
        DeploymentStatus.BUILDING: (Status.OK, "deploying {sha}: building"),
        DeploymentStatus.DEPLOYING: (Status.OK, "deploying {sha}"),
        DeploymentStatus.INITIALIZING: (Status.OK, "deploying {sha}: initializing"),
        DeploymentStatus.QUEUED: (Status.OK, "deploying {sha}: queued"),
        DeploymentStatus.WAITING: (Status.OK, "deploying {sha}: waiting for its checks"),
        DeploymentStatus.NEEDS_APPROVAL: (Status.WARN, "deployment {sha} waits for approval in Railway"),
        DeploymentStatus.FAILED: (Status.WARN, "deployment {sha} FAILED"),
        DeploymentStatus.CRASHED: (Status.WARN, "deployment {sha} CRASHED"),
        DeploymentStatus.UNKNOWN: (Status.UNKNOWN, "deployment {sha} has a status that this version does not know"),
    }
)
# The same while nothing serves. docs/states.md shows both tables; a test compares them with it and Railway's schema.
ALONE: Mapping[DeploymentStatus, tuple[Status, str]] = MappingProxyType(
    {
        DeploymentStatus.BUILDING: (Status.WARN, "deploying {sha}: building"),
        DeploymentStatus.DEPLOYING: (Status.WARN, "deploying {sha}"),
        DeploymentStatus.INITIALIZING: (Status.WARN, "deploying {sha}: initializing"),
        DeploymentStatus.QUEUED: (Status.WARN, "deploying {sha}: queued"),
        DeploymentStatus.WAITING: (Status.WARN, "deploying {sha}: waiting for its checks"),
        DeploymentStatus.NEEDS_APPROVAL: (Status.FAIL, "does not run: {sha} waits for approval in Railway"),
        DeploymentStatus.FAILED: (Status.FAIL, "does not run: deployment {sha} FAILED"),
        DeploymentStatus.CRASHED: (Status.FAIL, "does not run: deployment {sha} CRASHED"),
        DeploymentStatus.SKIPPED: (Status.FAIL, "does not run, and Railway skipped {sha}"),
        DeploymentStatus.SLEEPING: (Status.FAIL, "does not run: deployment {sha} is asleep and not active"),
        DeploymentStatus.SUCCESS: (Status.FAIL, "does not run: deployment {sha} is not active any more"),
        DeploymentStatus.REMOVING: (Status.FAIL, "does not run: deployment {sha} is being removed"),
        DeploymentStatus.REMOVED: (Status.FAIL, "does not run: deployment {sha} was removed"),
        DeploymentStatus.UNKNOWN: (Status.UNKNOWN, "may not run: {sha} has a status that this version does not know"),
    }
)


RAILWAYS_WORD = "according to Railway"  # for a commit that no process has reported


def check(
    services: Mapping[Service, ServiceState] | Unavailable, system: System, *, unproved: Collection[Service] = ()
) -> list[Finding]:
    """One finding per service, `deployment.<short name>`; only one, `deployment`, if Railway does not answer.

    `unproved`: the services without a process that reports its commit.
    """
    if isinstance(services, Unavailable):
        step = NextStep("Check the settings", "check-config")
        return [Finding("deployment", Status.UNKNOWN, "Railway unknown", services.why, next_step=step)]
    return [
        *(_check_service(one, services.get(one), is_proved=one not in unproved) for one in system.services),
        *_others(services, system),
    ]


def _others(services: Mapping[Service, ServiceState], system: System) -> list[Finding]:
    """Services of the Railway environment that the bot does not operate, so that people don't assume it covers them."""
    others = list_others(services, system)
    if not others:
        return []
    title = f"not operated by this bot: {', '.join(others)}"
    return [Finding("deployment.others", Status.OK, title, "no command covers them", evidence={"services": [*others]})]


def _check_service(service: Service, state: ServiceState | None, *, is_proved: bool) -> Finding:
    name, short = f"deployment.{service.short}", service.short
    if state is None:
        title, detail = f"{short} is not in this Railway project", "its name there must be " + service.value
        return Finding(name, Status.FAIL, title, detail, service, next_step=NextStep("Check settings", "check-config"))
    if state.unknown is not None:
        config = NextStep("Check the settings", "check-config")
        return Finding(name, Status.UNKNOWN, f"{short} unknown in Railway", state.unknown, service, next_step=config)
    status, words, detail = _judge(state)
    detail = RAILWAYS_WORD if status is Status.OK and not detail and not is_proved else detail
    step = None if status is Status.OK else _next_step(state, status)
    return Finding(name, status, f"{short} {words}", detail, service, _evidence(state), step)


def _judge(state: ServiceState) -> tuple[Status, str, str]:
    serving = state.serving
    if serving is None:
        return _judge_silent(state)
    crashed = sum(instance.status == "CRASHED" for instance in serving.instances)
    if crashed:
        return Status.FAIL, f"has {crashed} crashed of {len(serving.instances)} instances", _of(serving)
    latest = state.latest
    if latest is not None and latest.id != serving.id and (beside := BESIDE.get(latest.status)):
        status, words = beside
        return status, words.format(sha=_word(latest)), f"{_of(serving)} still runs"
    if serving.status is DeploymentStatus.SLEEPING:
        return _judge_sleeping(state.service, serving)
    if serving.ended_by_itself:
        return Status.FAIL, "ended by itself", _exited(serving)
    running, wanted = serving.running_instances, state.replicas_configured
    if wanted is None:  # unknown: then at least one of the instances that Railway made
        wanted = 0 if serving.running_instances else len(serving.instances)
    if running < wanted:
        return Status.WARN, f"has {running} of {wanted} instances running", _of(serving)
    return Status.OK, f"runs {serving.name}", ""


def _judge_sleeping(service: Service, serving: Deployment) -> tuple[Status, str, str]:
    """Railway's App Sleeping: a request wakes the API, with a delay; nothing ever wakes a worker."""
    turn_off = "turn off App Sleeping in its Railway settings"
    if service.worker_type is not None:
        return Status.FAIL, "is asleep", f"{_of(serving)}; no request wakes a worker: {turn_off}"
    return Status.WARN, "is asleep", f"{_of(serving)}; the next request waits until it is awake: {turn_off}"


def _judge_silent(state: ServiceState) -> tuple[Status, str, str]:
    """The finding for a service without a serving deployment."""
    latest, is_worker = state.latest, state.service.worker_type is not None
    if state.replicas_configured == 0 and is_worker:
        return Status.OK, "has 0 replicas", "stopped on purpose"
    if latest is None:
        return Status.FAIL, "was never deployed", ""
    if state.is_stopped:
        # Workers get to zero replicas by a stop; the API is never at zero for long.
        return Status.WARN if is_worker else Status.FAIL, "is stopped", _stopped_detail(state, latest)
    if latest.ended_by_itself:
        return Status.FAIL, "ended by itself", _exited(latest)
    status, words = ALONE[latest.status]
    detail = f"{_of(latest)}; nothing runs" if latest.status.has_taken_over else "nothing runs yet"
    return status, words.format(sha=_word(latest)), detail


def _exited(deployment: Deployment) -> str:
    return f"each process of the {_of(deployment)} exited with code 0"


def _stopped_detail(state: ServiceState, latest: Deployment) -> str:
    """The origin of the stop, and a later deployment that does not serve."""
    by = f"stopped by a run at {clock_time(state.stopped_at)}" if state.stopped_at else "stopped in Railway"
    is_newer = latest.status in BESIDE and not latest.was_stopped
    return f"{by}; deployment {_word(latest)} is {latest.status.value}" if is_newer else by


def _next_step(state: ServiceState, status: Status) -> NextStep:
    """Logs for a process that ran; the list of deployments for one that never ran; Railway for a deployment that waits
    for a person."""
    short, latest = state.service.short, state.latest
    if latest is not None and latest.status is DeploymentStatus.NEEDS_APPROVAL and latest.link:
        return NextStep("Approve in Railway", url=latest.link)
    if status is Status.FAIL and (state.latest is None or state.latest.status is not DeploymentStatus.FAILED):
        return NextStep(f"Logs of {short}", f"logs {short}")
    return NextStep(f"Deployments of {short}", f"deployments {short}")


def _of(deployment: Deployment) -> str:
    return f"deployment of {short_sha(deployment.commit_sha)}" if deployment.commit_sha else deployment.name


def _word(deployment: Deployment) -> str:
    """The deployment's name by its commit, else by its id."""
    return short_sha(deployment.commit_sha) if deployment.commit_sha else deployment.short_id


def _crashed(state: ServiceState) -> int:
    """The number of crashed instances; 1 if the deployment that should serve crashed as a whole."""
    if state.serving is not None:
        return sum(instance.status == "CRASHED" for instance in state.serving.instances)
    return int(state.latest is not None and state.latest.status is DeploymentStatus.CRASHED)


def _evidence(state: ServiceState) -> dict[str, object]:
    serving, latest = state.serving, state.latest
    return {
        "serving": serving.id if serving else None,
        "serving_sha": serving.commit_sha if serving else None,
        "latest": latest.id if latest else None,
        "latest_status": latest.status.value if latest else None,
        "latest_sha": latest.commit_sha if latest else None,
        "latest_at": latest.created_at.isoformat() if latest else None,
        "latest_status_at": latest.status_updated_at.isoformat() if latest and latest.status_updated_at else None,
        "running": serving.running_instances if serving else 0,
        "crashed": _crashed(state),
        "instances": {instance.id: instance.status for instance in serving.instances} if serving else {},
        "replicas_configured": state.replicas_configured,
        "link": state.link,
    }


def check_locks(
    locks: Sequence[Lock] | Unavailable,
    now: datetime,
    *,
    forgotten_after: timedelta = LOCK_FORGOTTEN_AFTER,
    stored: bool = False,
) -> list[Finding]:
    """One finding per lock, none without locks. `stored`: the text is read later, so it has clock times."""
    if isinstance(locks, Unavailable):
        return [Finding("database.locks", Status.UNKNOWN, "locks of services unknown", locks.why)]
    return [_judge_lock(lock, now, forgotten_after, stored=stored) for lock in locks]


def check_freezes(freezes: Sequence[Freeze] | Unavailable, now: datetime) -> list[Finding]:
    """One finding per freeze or lock by a person that is in force; none without any."""
    if isinstance(freezes, Unavailable):
        return [Finding("database.freezes", Status.UNKNOWN, "freezes unknown", freezes.why)]
    return [_freeze(one, now) for one in freezes if one.span_at(now) is not None]


def _freeze(freeze: Freeze, now: datetime) -> Finding:
    """A person wanted the freeze, so its status is OK."""
    return Finding(
        check=f"freeze.{freeze.id}",
        status=Status.OK,
        title=freeze_words(freeze, now),
        service=freeze.service,
        evidence={"owner": freeze.owner, "freeze": freeze.id},
        next_step=NextStep("The freezes", "freeze"),
    )


def _judge_lock(lock: Lock, now: datetime, forgotten_after: timedelta, *, stored: bool) -> Finding:
    short = lock.service.short
    see = NextStep(f"Run {lock.run_id}", f"run {lock.run_id}") if lock.run_id else NextStep("How to", "help unlock")
    return Finding(
        check=f"lock.{short}",
        status=Status.WARN if now - lock.locked_at >= forgotten_after else Status.OK,
        title=f"{short} is locked against deploys {lasting(lock.locked_at, now, stored=stored)}",
        detail=f"{lock.reason}; unlock {short} <reason> lifts it",
        service=lock.service,
        evidence={"owner": lock.owner, "locked_at": lock.locked_at.isoformat(), "run": lock.run_id},
        next_step=see,
    )
