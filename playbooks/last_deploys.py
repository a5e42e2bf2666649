"""What was deployed to a service last, in the words of a page: the first suspect, so it has to be the right one.

Of the service itself, whatever became of it. A restart or a start from zero replicas is no deploy, and a rollback is
named as one. What happened to other services comes after that, as "elsewhere". A page is read later: clock times only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.domain.deployments import Deployment, DeploymentStatus, ServiceAct, ServiceState
from services.domain.services import Service, short_sha
from services.domain.systems import System
from services.domain.text import clock_time

LOOK_BACK = timedelta(hours=2)  # what broke something is rarely older
_ROLLBACK, _RESTART = "RollBackDeployment", "RestartDeployment"
_SAME_AGAIN = ("StartService", "RedeployDeployment")  # a deployment of the commit that was there before


@dataclass(frozen=True)
class Facts:
    """`made`: deployments of each service that are known, those of the last two hours at least, in any order.
    `acts`: what runs of ours made of them. `name_of`: what a person is called, by the Slack id; "" when not known."""

    now: datetime
    made: Mapping[Service, Sequence[Deployment]]
    acts: Sequence[ServiceAct]
    name_of: Callable[[str], str]
    system: System = field(kw_only=True)


def remember_deployments(
    known: Mapping[Service, Sequence[Deployment]], services: Mapping[Service, ServiceState], now: datetime
) -> dict[Service, tuple[Deployment, ...]]:
    """What is known after this answer of Railway's, which shows the newest and the active ones only."""
    return {
        service: _merge(known.get(service, ()), services.get(service), since=now - LOOK_BACK)
        for service in {*known, *services}
    }


def last_deploys(facts: Facts, service: Service | None) -> str:
    """ "deploy e9a70d3b CRASHED 09:02 UTC (commit by Tom Okafor) · elsewhere: api rolled back to 8d02b64e …".

    Without a service only what happened anywhere; empty when nothing is known of the service.
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


def deployed_at(facts: Facts, service: Service | None) -> datetime | None:
    """When a commit was deployed to the service last; None when none was in the window, or a rollback came since."""
    newest = _newest(facts, service) if service is not None else None
    act = _act_of(facts, newest) if newest is not None else None
    return None if newest is None or (act is not None and act.kind == _ROLLBACK) else newest.created_at


def _merge(known: Sequence[Deployment], state: ServiceState | None, *, since: datetime) -> tuple[Deployment, ...]:
    shown = [] if state is None else [*state.active, *filter(None, [state.latest])]
    merged = {one.id: one for one in (*known, *shown)}
    return tuple(one for one in merged.values() if one.created_at >= since)


def _newest(facts: Facts, service: Service) -> Deployment | None:
    """The newest deployment of the window that changed what the service runs, or was to."""
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
    """The act that made it; a restart makes nothing new."""
    made = (act for act in facts.acts if act.deployment_id == deployment.id and act.kind != _RESTART)
    return next(made, None)
