"""The last deploy of a service, in the words of a page: the first suspect, so it has to be the right one.

It is the service's own last deploy, with its status. A restart or a start from zero replicas is no deploy, and a
rollback is named as one. Deploys of other services come after it, as "elsewhere". A page is read later, so it has only
clock times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.domain.alerts import KnownCause
from services.domain.deployments import Deployment, DeploymentStatus, ServiceAct, ServiceState
from services.domain.health import AnsweredWell
from services.domain.jobs import BEAT_EVERY, Heartbeat
from services.domain.services import Service, same_sha, short_sha
from services.domain.systems import System
from services.domain.text import clock_time

LOOK_BACK = timedelta(hours=2)  # the cause of a problem is rarely older
RAN_WELL = timedelta(minutes=5)  # a deployment that ran well for so long is rarely the cause
WORKED_AFTER = 2 * BEAT_EVERY  # a process that died later did not fail at its start
CRASHES = "crashes at start"
_ROLLBACK, _RESTART = "RollBackDeployment", "RestartDeployment"
_SAME_AGAIN = ("StartService", "RedeployDeployment")  # these deploy the commit that was there before


@dataclass(frozen=True)
class Facts:
    """`made`: the known deployments of each service, at least those of the last 2 h, in any order. `acts`: acts of our
    runs that made them. `beats`: the workers' heartbeats. `replicas`: how many each service should run. `name_of`: a
    person's name by the Slack id; "" if not known. `answered`: the API's ok answers before it stopped answering
    well."""

    now: datetime
    made: Mapping[Service, Sequence[Deployment]]
    acts: Sequence[ServiceAct]
    name_of: Callable[[str], str]
    beats: Sequence[Heartbeat] = ()
    replicas: Mapping[Service, int] = field(default_factory=dict)
    answered: AnsweredWell | None = None
    system: System = field(kw_only=True)


def remember_deployments(
    known: Mapping[Service, Sequence[Deployment]], services: Mapping[Service, ServiceState], now: datetime
) -> dict[Service, tuple[Deployment, ...]]:
    """The known deployments plus those in Railway's answer, which has only the newest and the active ones."""
    return {
        service: _merge(known.get(service, ()), services.get(service), since=now - LOOK_BACK)
        for service in {*known, *services}
    }


def last_deploys(facts: Facts, service: Service | None) -> str:
    """ "deploy e9a70d3b CRASHED 09:02 UTC (commit by Tom Okafor) · elsewhere: api rolled back to 8d02b64e …".

    Without a service only the newest deploy of any; empty if nothing is known of the service.
    """
    newest = {one: _newest(facts, one) for one in facts.system.services}
    own = newest.get(service) if service else None
    others = [(made.created_at, one, made) for one, made in newest.items() if made is not None and one is not service]
    parts = []
    if service is not None and service in facts.made:
        parts = [_words(facts, own) if own else f"no deploy of {service.short} in the last 2 h"]
    if others:
        _, other, made = max(others, key=lambda found: found[0])
        is_same_push = own is not None and own.commit_sha == made.commit_sha
        label = "elsewhere: " if service else ""
        parts += [] if is_same_push else [f"{label}{other.short} {_words(facts, made)}"]
    return " · ".join(parts)


@dataclass(frozen=True)
class Suspect:
    """A deploy that may have broken its service. `live_at`: since when it has run; None if it doesn't. `crashed_sha`:
    its commit if it crashed; None otherwise."""

    made_at: datetime
    live_at: datetime | None = None
    crashed_sha: str | None = None

    def explains(self, bad_since: datetime) -> bool:
        """True if it may be the cause of a problem that began then; False if it ran well for minutes before."""
        return self.live_at is None or bad_since - self.live_at <= RAN_WELL

    def known_cause(self, service: Service) -> KnownCause | None:
        """The deploy as the known cause; None unless it crashed, which is the only certain sign."""
        if self.crashed_sha is None:
            return None
        title = f"{deploy_name(self.crashed_sha, service)} {CRASHES}"
        return KnownCause(title, self.made_at, f"rollback {service.short}")


def find_suspect(facts: Facts, service: Service) -> Suspect | None:
    """The newest deploy of the service; None if there was none in the window, a rollback came since, or its process had
    worked before it died."""
    newest = _newest(facts, service)
    act = _act_of(facts, newest) if newest is not None else None
    if newest is None or (act is not None and act.kind == _ROLLBACK):
        return None
    if worked_for(service, newest, facts.replicas.get(service), facts.beats, facts.answered) is not None:
        return None
    is_live, is_crashed = (newest.status is one for one in (DeploymentStatus.SUCCESS, DeploymentStatus.CRASHED))
    live_at, crashed_sha = newest.status_updated_at if is_live else None, newest.commit_sha if is_crashed else None
    return Suspect(newest.created_at, live_at, crashed_sha)


def deploy_name(sha: str | None, service: Service) -> str:
    """ "deploy e9a70d3b of ingest", as the subject of a problem's title."""
    return f"deploy {short_sha(sha)} of {service.short}"


def worked_for(
    service: Service,
    deployment: Deployment,
    replicas: int | None,
    beats: Sequence[Heartbeat],
    answered: AnsweredWell | None,
) -> timedelta | None:
    """The time for which the deployment's workers had beaten, or its API had answered ok, before one died without being
    started again: after a bad deploy, a crash loop restarts it again and again. None otherwise."""
    is_down = deployment.status is DeploymentStatus.CRASHED or any(
        one.status == "CRASHED" for one in deployment.instances
    )
    if not is_down or deployment.commit_sha is None:
        return None
    worked = _answered_for(deployment, answered) if service.is_api else _beat_for(service, deployment, replicas, beats)
    return worked if worked is not None and worked >= WORKED_AFTER else None


def _answered_for(deployment: Deployment, answered: AnsweredWell | None) -> timedelta | None:
    if answered is None or answered.spans > 1 or answered.since < deployment.created_at:
        return None
    is_its = same_sha(answered.git_sha or "", deployment.commit_sha or "")
    return answered.until - answered.since if is_its else None


def _beat_for(
    service: Service, deployment: Deployment, replicas: int | None, beats: Sequence[Heartbeat]
) -> timedelta | None:
    spans = [
        beat.last_heartbeat_at - beat.started_at
        for beat in beats
        if beat.worker_type == service.worker_type
        and same_sha(beat.git_sha or "", deployment.commit_sha or "")
        and beat.started_at is not None
        and beat.started_at >= deployment.created_at
    ]
    return max(spans) if spans and len(spans) <= max(replicas or 1, 1) else None


def _merge(known: Sequence[Deployment], state: ServiceState | None, *, since: datetime) -> tuple[Deployment, ...]:
    shown = [] if state is None else [*state.active, *filter(None, [state.latest])]
    merged = {one.id: one for one in (*known, *shown)}
    return tuple(one for one in merged.values() if one.created_at >= since)


def _newest(facts: Facts, service: Service) -> Deployment | None:
    """The newest deployment of the window that changed the service's code, or should have."""
    fitting = [one for one in facts.made.get(service, ()) if one.created_at >= facts.now - LOOK_BACK]
    relevant = [one for one in fitting if one.status is not DeploymentStatus.SKIPPED and not _is_same_again(facts, one)]
    return max(relevant, key=lambda one: one.created_at, default=None)


def _is_same_again(facts: Facts, deployment: Deployment) -> bool:
    act = _act_of(facts, deployment)
    return act is not None and act.kind in _SAME_AGAIN


def _words(facts: Facts, deployment: Deployment) -> str:
    act = _act_of(facts, deployment)
    sha, at = short_sha(deployment.commit_sha), clock_time(deployment.created_at)
    what = sha if deployment.status is DeploymentStatus.SUCCESS else f"{sha} {deployment.status.value}"
    if act is None:
        author = f" (commit by {deployment.author})" if deployment.author else ""
        return f"deploy {what} {at}{author}"
    name = facts.name_of(act.by.user_id)
    by = f"by {name} (run {act.run_id})" if name else f"(run {act.run_id})"
    return f"{'rolled back to' if act.kind == _ROLLBACK else 'deploy'} {what} {by} {at}"


def _act_of(facts: Facts, deployment: Deployment) -> ServiceAct | None:
    """The act that made the deployment; a restart makes none."""
    made = (act for act in facts.acts if act.deployment_id == deployment.id and act.kind != _RESTART)
    return next(made, None)
