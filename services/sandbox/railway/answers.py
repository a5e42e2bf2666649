"""The local Railway's state in the shape of Railway's schema. Lists come in no useful order, on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.sandbox.railway.logs import LogEntry
from services.sandbox.railway.model import Pace, Place
from services.sandbox.railway.records import DeploymentRecord, PatchRecord
from services.sandbox.railway.replica import Replica
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
    """How a service is to be deployed."""
    return {
        "startCommand": service.spec.start_command,
        "multiRegionConfig": {region: {"numReplicas": count} for region, count in service.regions.items()},
    }


def answer_patch(record: PatchRecord, place: Place) -> Answer:
    """An `EnvironmentPatch`, the values of its variables hidden."""
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
    """As Railway writes it: milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_active(record: DeploymentRecord) -> bool:
    """By the schema's words "deployed and running": one that crashed is not, one that was stopped still is."""
    return record.status.value in ("SUCCESS", "DEPLOYING")


def _answer_instance(replica: Replica) -> Answer:
    return {"id": replica.id, "status": replica.status.value}
