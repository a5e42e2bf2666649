"""What the local Railway does when asked to change something. With `faults.ignore_changes` it only says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from graphql import GraphQLError

from services.sandbox.railway import answers
from services.sandbox.railway.commits import find_commit
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.queries import Arguments, Resolver, check_environment, find_deployment, find_service
from services.sandbox.railway.records import DeploymentRecord
from services.sandbox.railway.runner import ServiceRunner

_CREATOR = "Project token"


def _rollback(railway: LocalRailway, arguments: Arguments) -> bool:
    """Image and variables of then. The new deployment's id is not told."""
    service, record = find_deployment(railway, arguments["id"])
    if not record.can_rollback:
        raise GraphQLError("Deployment cannot be rolled back")
    if not railway.faults.ignore_changes:
        service.deploy(record.commit, creator=_CREATOR, needs_build=False, variables=record.variables)
    return True


def _redeploy(railway: LocalRailway, arguments: Arguments) -> Any:
    """The same code, the variables of now."""
    service, record = find_deployment(railway, arguments["id"])
    if not record.can_redeploy:
        raise GraphQLError("Deployment cannot be redeployed")
    if not railway.faults.ignore_changes:
        record = service.deploy(record.commit, creator=_CREATOR, needs_build=False)
    return answers.answer_deployment(record, service, railway.place)


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
    """Without a commit the newest, whatever it does: why the bot never leaves it out."""
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
    """Replicas by region, and variables; `null` removes one."""
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
