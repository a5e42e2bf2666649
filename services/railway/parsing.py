"""Railway's JSON into the domain's words: tolerant where Railway promises nothing (`meta`, new enum values)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.domain.deployments import (
    Deployment,
    DeploymentStatus,
    Instance,
    LogLine,
    ServiceState,
    VariableChange,
)
from services.domain.masking_messages import mask_message
from services.domain.services import Service
from services.railway.links import deployment_link

Json = Mapping[str, Any]


def parse_service(service: Service, node: Json, environment_config: object, *, page: str) -> ServiceState:
    """One `ServiceInstance`. `page` is the dashboard page of the service."""
    latest = node.get("latestDeployment")
    regions = _configured_regions(node, environment_config)
    return ServiceState(
        service=service,
        service_id=node["serviceId"],
        active=tuple(newest_first([parse_deployment(active, page=page) for active in node["activeDeployments"]])),
        latest=parse_deployment(latest, page=page) if latest else None,
        regions=regions,
        replicas_configured=sum(regions.values()) if regions else _whole_number(node.get("numReplicas")),
        start_command=node.get("startCommand"),
        draining_seconds=node.get("drainingSeconds"),
        healthcheck_path=node.get("healthcheckPath"),
        link=page,
    )


def parse_deployment(node: Json, *, page: str) -> Deployment:
    """One `Deployment`."""
    meta = _mapping(node.get("meta"))
    return Deployment(
        id=node["id"],
        status=_status(node.get("status")),
        created_at=parse_time(node["createdAt"]),
        status_updated_at=parse_time(node["statusUpdatedAt"]) if node.get("statusUpdatedAt") else None,
        can_rollback=bool(node.get("canRollback")),
        can_redeploy=bool(node.get("canRedeploy")),
        stopped=bool(node.get("deploymentStopped")),
        commit_sha=_text(meta.get("commitHash")),
        commit_message=_own_words(meta.get("commitMessage")) or _own_words(meta.get("cliMessage")),
        image=_text(meta.get("image")),
        author=_own_words(meta.get("commitAuthor")) or _own_words(_mapping(node.get("creator")).get("name")),
        instances=tuple(
            Instance(id=str(one.get("id") or ""), status=str(one.get("status") or "UNKNOWN"))
            for one in map(_mapping, node.get("instances") or ())
        ),
        link=deployment_link(page, node["id"]),
    )


def parse_variable_changes(nodes: Sequence[Json], service_id: str) -> list[VariableChange]:
    """What these `EnvironmentPatch`es say of the service's own variables and of the shared ones, newest first."""
    changes = []
    for node in nodes:
        patch = _mapping(node.get("patch"))
        own = _mapping(_mapping(_mapping(patch.get("services")).get(service_id)).get("variables"))
        names = tuple(sorted({*own, *_mapping(patch.get("sharedVariables"))}))
        if names and node.get("appliedAt"):
            changes.append(VariableChange(parse_time(node["appliedAt"]), names))
    return sorted(changes, key=lambda change: change.changed_at, reverse=True)


def newest_first(deployments: list[Deployment]) -> list[Deployment]:
    """Railway promises no order."""
    return sorted(deployments, key=lambda deployment: deployment.created_at, reverse=True)


def parse_logs(nodes: Sequence[Json], *, limit: int) -> list[LogLine]:
    """Oldest first, the last `limit`: Railway answers with one line too many."""
    lines = [
        LogLine(
            timestamp=parse_time(node["timestamp"]),
            severity=node.get("severity") or "info",
            message=_text(node.get("message")) or "",
            replica_id=_mapping(node.get("tags")).get("deploymentInstanceId"),
        )
        for node in nodes
        if node.get("timestamp")
    ]
    return sorted(lines, key=lambda line: line.timestamp)[-limit:]


def parse_time(text: str) -> datetime:
    """RFC 3339; nanoseconds are cut to microseconds. A time without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _configured_regions(node: Json, environment_config: object) -> dict[str, int]:
    """`{region: replicas}` as configured; else as the latest deployment was made; empty when Railway does not say."""
    config = _mapping(_mapping(_mapping(environment_config).get("services")).get(node["serviceId"]))
    manifest = _mapping(_mapping(_mapping(node.get("latestDeployment")).get("meta")).get("serviceManifest"))
    for deploy in (_mapping(config.get("deploy")), _mapping(manifest.get("deploy"))):
        regions = _regions(deploy, default_region=node.get("region"))
        if regions:
            return regions
    return {}


def _regions(deploy: Json, *, default_region: str | None) -> dict[str, int]:
    """`multiRegionConfig` wins over `region` and `numReplicas`, as in Railway's own CLI."""
    counts = {
        region: _whole_number(_mapping(entry).get("numReplicas"))
        for region, entry in _mapping(deploy.get("multiRegionConfig")).items()
    }
    regions = {region: count for region, count in counts.items() if count is not None}
    if regions:
        return regions
    region, count = _text(deploy.get("region")) or default_region, _whole_number(deploy.get("numReplicas"))
    return {region: count} if region and count is not None else {}


def _status(text: object) -> DeploymentStatus:
    try:
        return DeploymentStatus(str(text))
    except ValueError:
        return DeploymentStatus.UNKNOWN


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _own_words(value: object) -> str | None:
    """What a developer wrote: it is told to everybody, so without the data in it."""
    text = _text(value)
    return mask_message(text) if text else None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
