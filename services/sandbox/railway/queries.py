"""What the local Railway answers to queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError

from services.sandbox.railway import answers
from services.sandbox.railway.local import LocalRailway, NotFoundError
from services.sandbox.railway.logs import LogBuffer
from services.sandbox.railway.records import DeploymentRecord
from services.sandbox.railway.runner import ServiceRunner

Arguments = Mapping[str, Any]
Resolver = Callable[[LocalRailway, Arguments], Any]

MAX_LOG_LINES = 5000  # the schema's words: "defaults 100, max 5000"
NOT_AUTHORIZED = "Not Authorized"  # Railway says it of everything that a token may not see


def check_environment(railway: LocalRailway, environment_id: str) -> None:
    """A project token sees one environment."""
    if environment_id != railway.place.environment_id:
        raise GraphQLError(NOT_AUTHORIZED)


def find_service(railway: LocalRailway, service_id: str) -> ServiceRunner:
    """By its id only."""
    for service in railway.services.values():
        if service.id == service_id:
            return service
    raise GraphQLError(NOT_AUTHORIZED)


def find_deployment(railway: LocalRailway, deployment_id: str) -> tuple[ServiceRunner, DeploymentRecord]:
    """A deployment that is listed by now."""
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
    nodes = [answers.answer_service(service, railway.place, railway.pace) for service in services]
    return {
        "id": railway.place.environment_id,
        "name": railway.place.environment_name,
        "isEphemeral": False,
        "projectId": railway.place.project_id,
        "config": answers.answer_config(services),
        "serviceInstances": answers.answer_connection(nodes),
    }


def _service_instance(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    return answers.answer_service(find_service(railway, arguments["serviceId"]), railway.place, railway.pace)


def _auto_deploy_status(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    service = find_service(railway, arguments["serviceId"])
    return {"enabled": service.auto_deploy, "canEnable": True, "reason": None}


def _deployment(railway: LocalRailway, arguments: Arguments) -> Any:
    service, record = find_deployment(railway, arguments["id"])
    return answers.answer_deployment(record, service, railway.place)


def _deployments(railway: LocalRailway, arguments: Arguments) -> Any:
    """The newest `first`, in no order."""
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
    nodes = [answers.answer_deployment(record, service, railway.place) for service, record in found[:first]]
    return answers.answer_connection(nodes, has_more=len(found) > first)


def _has_status(record: DeploymentRecord, wanted: Arguments) -> bool:
    if wanted.get("in") is not None and record.status.value not in wanted["in"]:
        return False
    return record.status.value not in (wanted.get("notIn") or ())


def _deployment_logs(railway: LocalRailway, arguments: Arguments) -> Any:
    return _logs(railway, arguments, lambda record: record.logs)


def _build_logs(railway: LocalRailway, arguments: Arguments) -> Any:
    return _logs(railway, arguments, lambda record: record.build_logs)


def _logs(railway: LocalRailway, arguments: Arguments, choose: Callable[[DeploymentRecord], LogBuffer]) -> Any:
    """One line more than asked for, as the real one does."""
    limit = arguments.get("limit") or 100
    if not 0 < limit <= MAX_LOG_LINES:
        raise GraphQLError(f"limit must be between 1 and {MAX_LOG_LINES}")
    _, record = find_deployment(railway, arguments["deploymentId"])
    entries = choose(record).find(arguments.get("filter") or "")[-(limit + 1) :]
    return [answers.answer_log(entry, record.id, railway.place) for entry in entries]


def _variables(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    if arguments.get("serviceId") is None:
        return {}  # nothing is shared here
    return find_service(railway, arguments["serviceId"]).variables()


def _environment_patches(railway: LocalRailway, arguments: Arguments) -> Any:
    check_environment(railway, arguments["environmentId"])
    newest = railway.patches[::-1][: arguments.get("first") or 500]
    nodes = [answers.answer_patch(record, railway.place) for record in newest]
    return answers.answer_connection(nodes, has_more=len(railway.patches) > len(newest))


QUERIES: Mapping[str, Resolver] = {
    "buildLogs": _build_logs,
    "deployment": _deployment,
    "deploymentLogs": _deployment_logs,
    "deployments": _deployments,
    "environment": _environment,
    "environmentPatches": _environment_patches,
    "projectToken": _project_token,
    "serviceInstance": _service_instance,
    "serviceInstanceAutoDeployStatus": _auto_deploy_status,
    "variables": _variables,
    "variablesForServiceDeployment": _variables,
}
