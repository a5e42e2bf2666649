"""The local Railway's queries and mutations, in the shape of Railway's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from graphql import GraphQLError

from services.sandbox.railway.local import LocalRailway, NotFoundError
from services.sandbox.railway.metrics import answer_metrics, parse_moment
from services.sandbox.railway.model import Pace, Place, find_commit
from services.sandbox.railway.records import DeploymentRecord, PatchRecord
from services.sandbox.railway.replica import LogBuffer, LogEntry, Replica
from services.sandbox.railway.runner import ServiceRunner

Answer = dict[str, Any]


def answer_service(service: ServiceRunner, place: Place, pace: Pace) -> Answer:
    """A `ServiceInstance`."""
    active, latest = service.active, service.latest
    regions = service.regions
    return {
        "id": f"{service.id}:{place.environment_id}",
        "serviceId": service.id,
        "serviceName": service.spec.name,
        "environmentId": place.environment_id,
        "startCommand": service.spec.start_command,
        "healthcheckPath": service.spec.healthcheck_path,
        "healthcheckTimeout": int(pace.healthcheck_timeout_s),
        "drainingSeconds": pace.draining_s,
        "restartPolicyMaxRetries": pace.max_restarts,
        "region": next(iter(regions), None),
        "numReplicas": sum(regions.values()) if len(regions) == 1 else None,
        "latestDeployment": answer_deployment(latest, service, place) if latest else None,
        "activeDeployments": [answer_deployment(active, service, place)] if active and _is_active(active) else [],
    }


def answer_deployment(record: DeploymentRecord, service: ServiceRunner, place: Place) -> Answer:
    """A `Deployment`."""
    return {
        "id": record.id,
        "status": record.status.value,
        "createdAt": answer_time(record.created_at),
        "updatedAt": answer_time(record.status_updated_at),
        "statusUpdatedAt": answer_time(record.status_updated_at),
        "canRollback": record.can_rollback,
        "canRedeploy": record.can_redeploy,
        "deploymentStopped": record.is_stopped,
        "creator": {"id": record.creator, "name": record.creator, "email": "someone@example.com"},
        "environmentId": place.environment_id,
        "projectId": place.project_id,
        "serviceId": service.id,
        "instances": [_answer_instance(replica) for replica in sorted(record.replicas, key=lambda one: one.id)],
        "meta": {
            "branch": "main",
            "commitHash": record.commit.sha,
            "commitMessage": record.commit.message,
            "commitAuthor": record.commit.author,
            "serviceManifest": {"deploy": answer_deploy_config(service)},
        },
    }


def answer_config(services: Sequence[ServiceRunner]) -> Answer:
    """An `EnvironmentConfig`."""
    return {"services": {service.id: {"deploy": answer_deploy_config(service)} for service in services}}


def answer_deploy_config(service: ServiceRunner) -> Answer:
    """The `deploy` part of a service's config."""
    return {
        "startCommand": service.spec.start_command,
        "multiRegionConfig": {region: {"numReplicas": count} for region, count in service.regions.items()},
    }


def answer_patch(record: PatchRecord, place: Place) -> Answer:
    """An `EnvironmentPatch` with the values of its variables hidden."""
    services = {
        service_id: {**change, "variables": {key: {"value": "*****"} for key in change.get("variables") or {}}}
        for service_id, change in (record.patch.get("services") or {}).items()
    }
    moment = answer_time(record.applied_at)
    return {
        "id": record.id,
        "environmentId": place.environment_id,
        "appliedAt": moment,
        "createdAt": moment,
        "message": record.message,
        "status": "COMMITTED",
        "patch": {"services": services},
    }


def answer_log(entry: LogEntry, deployment_id: str, place: Place) -> Answer:
    """A `Log`."""
    return {
        "timestamp": f"{entry.timestamp.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z",
        "severity": entry.severity,
        "message": entry.message,
        "attributes": [],
        "tags": {
            "deploymentId": deployment_id,
            "deploymentInstanceId": entry.replica_id,
            "environmentId": place.environment_id,
            "projectId": place.project_id,
        },
    }


def answer_connection(nodes: Sequence[Mapping[str, Any]], *, has_more: bool = False) -> Answer:
    """A page of nodes, ordered by their random ids."""
    edges = [{"cursor": node["id"], "node": node} for node in sorted(nodes, key=lambda node: str(node["id"]))]
    return {"edges": edges, "pageInfo": {"hasNextPage": has_more, "hasPreviousPage": False}}


def answer_time(moment: datetime) -> str:
    """A time as Railway writes it: milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_active(record: DeploymentRecord) -> bool:
    """True if it is "deployed and running" as the schema means it: a stopped one is, a crashed one is not."""
    return record.status.value in ("SUCCESS", "DEPLOYING")


def _answer_instance(replica: Replica) -> Answer:
    return {"id": replica.id, "status": replica.status.value}


Arguments = Mapping[str, Any]
Resolver = Callable[[LocalRailway, Arguments], Any]

MAX_LOG_LINES = 5000  # the schema: "defaults 100, max 5000"
NOT_AUTHORIZED = "Not Authorized"  # Railway's error for anything that a token may not see


def check_environment(railway: LocalRailway, environment_id: str) -> None:
    """Raise GraphQLError for another environment, because a project token sees only one."""
    if environment_id != railway.place.environment_id:
        raise GraphQLError(NOT_AUTHORIZED)


def find_service(railway: LocalRailway, service_id: str) -> ServiceRunner:
    """The service with this id. Raises GraphQLError."""
    for service in railway.services.values():
        if service.id == service_id:
            return service
    raise GraphQLError(NOT_AUTHORIZED)


def find_deployment(railway: LocalRailway, deployment_id: str) -> tuple[ServiceRunner, DeploymentRecord]:
    """A deployment that is listed by now. Raises GraphQLError."""
    try:
        return railway.find_deployment(deployment_id)
    except NotFoundError:
        raise GraphQLError("Deployment not found") from None


def _project_token(railway: LocalRailway, _: Arguments) -> Any:
    place = railway.place
    return {
        "id": "token",
        "name": "sandbox",
        "projectId": place.project_id,
        "environmentId": place.environment_id,
    }


def _environment(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["id"])
    services = list(railway.services.values())
    nodes = [answer_service(service, railway.place, railway.pace) for service in services]
    return {
        "id": railway.place.environment_id,
        "name": railway.place.environment_name,
        "isEphemeral": False,
        "projectId": railway.place.project_id,
        "config": answer_config(services),
        "serviceInstances": answer_connection(nodes),
    }


def _service_instance(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    return answer_service(find_service(railway, arguments["serviceId"]), railway.place, railway.pace)


def _auto_deploy_status(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    service = find_service(railway, arguments["serviceId"])
    return {"enabled": service.auto_deploy, "canEnable": True, "reason": None}


def _deployment(railway: LocalRailway, arguments: Arguments) -> Any:
    service, record = find_deployment(railway, arguments["id"])
    return answer_deployment(record, service, railway.place)


def _deployments(railway: LocalRailway, arguments: Arguments) -> Any:
    """The newest `first` deployments, in no order."""
    wanted = arguments["input"]
    found = [
        (service, record)
        for service in railway.services.values()
        if wanted.get("serviceId") in (None, service.id)
        for record in service.listed()
        if _has_status(record, wanted.get("status") or {})
    ]
    found.sort(key=lambda pair: pair[1].created_at, reverse=True)
    first = arguments.get("first") or 500
    nodes = [answer_deployment(record, service, railway.place) for service, record in found[:first]]
    return answer_connection(nodes, has_more=len(found) > first)


def _has_status(record: DeploymentRecord, wanted: Arguments) -> bool:
    if wanted.get("in") is not None and record.status.value not in wanted["in"]:
        return False
    return record.status.value not in (wanted.get("notIn") or ())


def _deployment_logs(railway: LocalRailway, arguments: Arguments) -> Any:
    return _logs(railway, arguments, lambda record: record.logs)


def _build_logs(railway: LocalRailway, arguments: Arguments) -> Any:
    return _logs(railway, arguments, lambda record: record.build_logs)


def _logs(railway: LocalRailway, arguments: Arguments, choose: Callable[[DeploymentRecord], LogBuffer]) -> Any:
    """One line more than requested, as Railway answers."""
    limit = arguments.get("limit") or 100
    if not 0 < limit <= MAX_LOG_LINES:
        raise GraphQLError(f"limit must be between 1 and {MAX_LOG_LINES}")
    _, record = find_deployment(railway, arguments["deploymentId"])
    entries = choose(record).find(arguments.get("filter") or "")[-(limit + 1) :]
    return [answer_log(entry, record.id, railway.place) for entry in entries]


def _variables(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    if arguments.get("serviceId") is None:
        return {}  # the local Railway has no shared variables
    return find_service(railway, arguments["serviceId"]).variables()


def _environment_patches(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    newest = railway.patches[::-1][: arguments.get("first") or 500]
    nodes = [answer_patch(record, railway.place) for record in newest]
    return answer_connection(nodes, has_more=len(railway.patches) > len(newest))


def _metrics(railway: LocalRailway, arguments: Arguments) -> Any:
    """Grouped by service and instance only, as the bot requests them."""
    check_environment(railway, arguments.get("environmentId") or railway.place.environment_id)
    since, now = parse_moment(arguments["startDate"]), datetime.now(UTC)
    results: list[Answer] = []
    for service in railway.services.values():
        replicas = service.active.replicas if service.active else []
        service.meter.measure({one.id: one.pid for one in replicas if one.pid is not None}, now)
        if service.meter.is_full:
            service.meter.stop_ramp()
            for replica in replicas:
                replica.kill()
        results += answer_metrics(service.meter, service.id, arguments["measurements"], since)
    return results


QUERIES: Mapping[str, Resolver] = {
    "buildLogs": _build_logs,
    "deployment": _deployment,
    "deploymentLogs": _deployment_logs,
    "deployments": _deployments,
    "environment": _environment,
    "environmentPatches": _environment_patches,
    "metrics": _metrics,
    "projectToken": _project_token,
    "serviceInstance": _service_instance,
    "serviceInstanceAutoDeployStatus": _auto_deploy_status,
    "variables": _variables,
    "variablesForServiceDeployment": _variables,
}

_CREATOR = "Project token"


def _rollback(railway: LocalRailway, arguments: Arguments) -> bool:
    """Deploy the image and variables of that time. The answer does not contain the new deployment's id."""
    service, record = find_deployment(railway, arguments["id"])
    if not record.can_rollback:
        raise GraphQLError("Deployment cannot be rolled back")
    if not railway.faults.ignore_changes:
        service.deploy(record.commit, creator=_CREATOR, needs_build=False, variables=record.variables)
    return True


def _redeploy(railway: LocalRailway, arguments: Arguments) -> Any:
    """Deploy the same code with the current variables."""
    service, record = find_deployment(railway, arguments["id"])
    if not record.can_redeploy:
        raise GraphQLError("Deployment cannot be redeployed")
    if not railway.faults.ignore_changes:
        record = service.deploy(record.commit, creator=_CREATOR, needs_build=False)
    return answer_deployment(record, service, railway.place)


def _restart(railway: LocalRailway, arguments: Arguments) -> bool:
    service, record = _find_active(railway, arguments["id"])
    if not railway.faults.ignore_changes:
        service.restart(record)
    return True


def _stop(railway: LocalRailway, arguments: Arguments) -> bool:
    service, record = _find_active(railway, arguments["id"])
    if not railway.faults.ignore_changes:
        service.stop(record)
    return True


def _deploy(railway: LocalRailway, arguments: Arguments) -> str:
    """Deploy a commit; without one the newest, even a faulty one, so the bot always names one."""
    check_environment(railway, arguments["environmentId"])
    service = find_service(railway, arguments["serviceId"])
    sha = arguments.get("commitSha") or railway.commits[-1].sha
    commit = find_commit(railway.commits, sha)
    if commit is None:
        raise GraphQLError("Commit not found")
    if railway.faults.ignore_changes:
        return str(uuid4())
    return service.deploy(commit, creator=_CREATOR).id


def _patch(railway: LocalRailway, arguments: Arguments) -> str:
    """Set replicas by region, and variables; `null` removes one."""
    check_environment(railway, arguments["environmentId"])
    patch = arguments.get("patch") or {}
    changes = patch.get("services") or {}
    wanted = {
        service_id: _merge_regions(find_service(railway, service_id), change)
        for service_id, change in changes.items()
        if "deploy" in change
    }
    if railway.faults.ignore_changes:
        return str(uuid4())
    for service_id, regions in wanted.items():
        find_service(railway, service_id).scale(regions)
    for service_id, change in changes.items():
        variables = change.get("variables") or {}
        find_service(railway, service_id).change_variables(
            {name: entry["value"] if entry else None for name, entry in variables.items()}
        )
    return railway.remember_patch(patch, arguments.get("commitMessage"))


def _merge_regions(service: ServiceRunner, change: Mapping[str, Any]) -> dict[str, int]:
    regions = dict(service.regions)
    for region, entry in ((change.get("deploy") or {}).get("multiRegionConfig") or {}).items():
        if entry is None:
            regions.pop(region, None)
            continue
        count = entry.get("numReplicas")
        if not isinstance(count, int) or count < 1:
            raise GraphQLError("numReplicas must be a positive number")
        regions[region] = count
    if not regions:
        raise GraphQLError("A service needs a region")
    return regions


def _set_auto_deploy(railway: LocalRailway, arguments: Arguments) -> Any:
    wanted = arguments["input"]
    check_environment(railway, wanted["environmentId"])
    service = find_service(railway, wanted["serviceId"])
    if not railway.faults.ignore_changes:
        service.auto_deploy = wanted["enabled"]
    return {"enabled": wanted["enabled"]}


def _find_active(railway: LocalRailway, deployment_id: str) -> tuple[ServiceRunner, DeploymentRecord]:
    service, record = find_deployment(railway, deployment_id)
    if record is not service.active:
        raise GraphQLError("Deployment is not active")
    return service, record


MUTATIONS: Mapping[str, Resolver] = {
    "deploymentRedeploy": _redeploy,
    "deploymentRestart": _restart,
    "deploymentRollback": _rollback,
    "deploymentStop": _stop,
    "environmentPatchCommit": _patch,
    "serviceInstanceAutoDeployUpdate": _set_auto_deploy,
    "serviceInstanceDeployV2": _deploy,
}
