"""Does each service have a deployment that serves, with every instance running?"""

from __future__ import annotations

from collections.abc import Mapping

from playbooks._contract import Finding, NextStep, Status
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.sha import short_sha


def check(services: Mapping[Service, ServiceState] | Unavailable) -> list[Finding]:
    """One finding a service, `deployment.<short name>`; only one, `deployment`, when Railway does not answer."""
    if isinstance(services, Unavailable):
        step = NextStep("Check the settings", "check-config")
        return [Finding("deployment", Status.UNKNOWN, "Railway unknown", services.why, next_step=step)]
    return [_check_service(service, services.get(service)) for service in Service]


def _check_service(service: Service, state: ServiceState | None) -> Finding:
    name, short = f"deployment.{service.short}", service.short
    if state is None:
        title, detail = f"{short} is not in this Railway project", "its name there must be " + service.value
        return Finding(name, Status.FAIL, title, detail, service, next_step=NextStep("Check settings", "check-config"))
    status, words, detail = _judge(state)
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
    if latest is not None and latest.id != serving.id and latest.status.is_failed:
        return Status.WARN, f"deployment {short_sha(latest.commit_sha)} {latest.status}", f"{_of(serving)} still serves"
    if latest is not None and latest.status.is_in_progress:
        return Status.OK, f"deploying {short_sha(latest.commit_sha)}", f"{_of(serving)} still serves"
    running, wanted = serving.running_instances, state.replicas_configured
    if wanted is not None and running < wanted:
        return Status.WARN, f"has {running} of {wanted} instances running", _of(serving)
    return Status.OK, f"serves {short_sha(serving.commit_sha)}", f"{running} running"


def _judge_silent(state: ServiceState) -> tuple[Status, str, str]:
    """A service of which nothing serves."""
    latest = state.latest
    if state.replicas_configured == 0 and state.service.worker_type is not None:
        return Status.OK, "has 0 replicas", "stopped on purpose"
    if latest is None:
        return Status.FAIL, "was never deployed", ""
    if latest.status.is_in_progress:
        return Status.WARN, f"deploying {short_sha(latest.commit_sha)}", "nothing serves yet"
    if latest.stopped or any(deployment.stopped for deployment in state.active):
        # Stopping is how workers get to zero; nobody does that to the API for long.
        return Status.FAIL if state.service.worker_type is None else Status.WARN, "is stopped", _of(latest)
    return Status.FAIL, f"has nothing that serves, latest is {latest.status}", _of(latest)


def _next_step(state: ServiceState, status: Status) -> NextStep:
    """What ran has logs of its end; of what never ran, the list says more."""
    short = state.service.short
    if status is Status.FAIL and (state.latest is None or state.latest.status is not DeploymentStatus.FAILED):
        return NextStep(f"Logs of {short}", f"logs {short}")
    return NextStep(f"Deployments of {short}", f"deployments {short}")


def _of(deployment: Deployment) -> str:
    return f"deployment of {short_sha(deployment.commit_sha)}"


def _evidence(state: ServiceState) -> dict[str, object]:
    serving, latest = state.serving, state.latest
    return {
        "serving": serving.id if serving else None,
        "serving_sha": serving.commit_sha if serving else None,
        "latest": latest.id if latest else None,
        "latest_status": latest.status.value if latest else None,
        "instances": {instance.id: instance.status for instance in serving.instances} if serving else {},
        "replicas_configured": state.replicas_configured,
        "link": state.link,
    }
