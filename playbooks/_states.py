"""What a change needs to know of a service from Railway, or the words for why it cannot go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playbooks._contract import NextStep, NoPlan
from services.domain import deployments
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.sha import short_sha
from services.domain.words import counted

STOP_GRACE_S = 20  # for the job under way after SIGTERM (services/job_queue)

States = Mapping[Service, ServiceState] | Unavailable


@dataclass(frozen=True)
class Standing:
    """A service as a plan needs it: known to Railway and deployed once."""

    service: Service
    state: ServiceState
    current: Deployment


def find_state(states: States, service: Service) -> ServiceState | NoPlan:
    """What Railway says of the service, or why there can be no plan for it."""
    state = deployments.find_state(states, service)
    if isinstance(state, Unavailable):
        return unavailable(state)
    return state or NoPlan(
        f"{service.short} is not in this Railway environment",
        f"give the service its name {service.value} there",
        (NextStep("Check the settings", "check-config"),),
    )


def find_standing(states: States, service: Service) -> Standing | NoPlan:
    """The same for a service that something was deployed to."""
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
    """No plan without this source."""
    return NoPlan(
        f"{fact.source} is needed for this and is not available: {fact.why}",
        "try again, or look at the settings",
        (NextStep("Check the settings", "check-config"),),
        is_unseen=True,
    )


def draining_doubts(state: ServiceState) -> list[str]:
    """Warnings when a worker would be killed before it has finished or handed back its job."""
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


def coming_doubts(state: ServiceState, so: str = "wait until it has arrived") -> list[str]:
    """A warning when a deployment is on its way to the service, and what follows from it."""
    latest = state.latest
    if latest is not None and latest.status is DeploymentStatus.NEEDS_APPROVAL:
        sha = short_sha(latest.commit_sha)
        return [f"a deployment of {sha} to {state.service.short} waits for approval in Railway, and may start any time"]
    if latest is None or not latest.status.is_in_progress:
        return []
    return [f"a deployment of {short_sha(latest.commit_sha)} is on its way to {state.service.short}: {so}"]


def commit_words(deployment: Deployment) -> str:
    """ "8d02b64e (Index failed jobs)", as far as Railway tells."""
    return f"{deployment.name} ({deployment.subject})" if deployment.subject else deployment.name


def replicas_words(count: int | None) -> str:
    """ "2 replicas"; said when nobody knows."""
    return "an unknown number of replicas" if count is None else counted(count, "replica")
