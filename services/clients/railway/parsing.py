"""Parses Railway's responses, tolerantly where Railway promises nothing; pure.

GraphQL returns partial answers: a field that failed is null, or, where the schema forbids null, the object around it.
Such a null must not be read as "none".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from services.domain.deployments import Deployment, DeploymentStatus, Instance, LogLine, ServiceState, VariableChange
from services.domain.errors import REFUSED
from services.domain.masking import mask_message
from services.domain.services import Service
from services.domain.text import without_colors
from services.domain.usage import InstanceUsage, Sample, ServiceUsage

_DASHBOARD = "https://railway.com"


def project_link(project_id: str, environment_id: str) -> str:
    """The dashboard page of a project, with one environment selected."""
    return f"{_DASHBOARD}/project/{quote(project_id, safe='')}?environmentId={quote(environment_id, safe='')}"


def service_link(project_id: str, environment_id: str, service_id: str) -> str:
    """The dashboard page of a service in one environment."""
    return (
        f"{_DASHBOARD}/project/{quote(project_id, safe='')}/service/{quote(service_id, safe='')}"
        f"?environmentId={quote(environment_id, safe='')}"
    )


def deployment_link(service_page: str, deployment_id: str) -> str:
    """The service's page with one deployment opened."""
    return f"{service_page}&id={quote(deployment_id, safe='')}"


Json = Mapping[str, Any]


def parse_service(service: Service, node: Json, environment_config: object, *, page: str) -> ServiceState:
    """Parse a `ServiceInstance`. `page` is the dashboard page of the service."""
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
    """Parse a `Deployment`."""
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
    """The changes of the service's own variables and of shared ones in these `EnvironmentPatch`es, newest first."""
    changes = []
    for node in nodes:
        patch = _mapping(node.get("patch"))
        own = _mapping(_mapping(_mapping(patch.get("services")).get(service_id)).get("variables"))
        names = tuple(sorted({*own, *_mapping(patch.get("sharedVariables"))}))
        if names and node.get("appliedAt"):
            changes.append(VariableChange(parse_time(node["appliedAt"]), names))
    return sorted(changes, key=lambda change: change.changed_at, reverse=True)


def newest_first(deployments: list[Deployment]) -> list[Deployment]:
    """Sort deployments, because Railway promises no order."""
    return sorted(deployments, key=lambda deployment: deployment.created_at, reverse=True)


def parse_logs(nodes: Sequence[Json], *, limit: int) -> list[LogLine]:
    """The last `limit` lines, oldest first: Railway answers with one line too many."""
    lines = [
        LogLine(
            timestamp=parse_time(node["timestamp"]),
            severity=node.get("severity") or "info",
            message=without_colors(_text(node.get("message")) or ""),
            replica_id=_mapping(node.get("tags")).get("deploymentInstanceId"),
        )
        for node in nodes
        if node.get("timestamp")
    ]
    return sorted(lines, key=lambda line: line.timestamp)[-limit:]


def parse_metrics(results: Sequence[Json], names: Mapping[str, Service]) -> dict[Service, ServiceUsage]:
    """Group `MetricsResult`s by service and instance; those of a service id that is not in `names` are left out.

    A limit that Railway reports for the whole service applies to each of its instances.
    """
    found: dict[Service, dict[str, dict[str, list[Sample]]]] = {}
    for result in results:
        tags = _mapping(result.get("tags"))
        service = names.get(str(tags.get("serviceId")))
        values = [(one["ts"], float(one["value"])) for one in result["values"]]
        samples = [Sample(datetime.fromtimestamp(ts, UTC), value) for ts, value in values if math.isfinite(value)]
        if service is not None and samples:
            kinds = found.setdefault(service, {}).setdefault(str(tags.get("deploymentInstanceId") or ""), {})
            kinds[str(result["measurement"])] = sorted(samples, key=lambda sample: sample.at)
    return {service: ServiceUsage(tuple(_instances(by_instance))) for service, by_instance in found.items()}


_USED = ("MEMORY_USAGE_GB", "CPU_USAGE", "DISK_USAGE_GB")  # no limits: one may be reported for an ended instance


def _instances(by_instance: Mapping[str, Mapping[str, Sequence[Sample]]]) -> Iterator[InstanceUsage]:
    whole = by_instance.get("", {})
    for instance_id, kinds in by_instance.items():
        if instance_id or len(by_instance) == 1 or "MEMORY_USAGE_GB" in kinds:
            newest = {kind: samples[-1].value for kind, samples in {**whole, **kinds}.items()}
            yield InstanceUsage(
                instance_id,
                memory=tuple(kinds.get("MEMORY_USAGE_GB", ())),
                memory_limit_gb=newest.get("MEMORY_LIMIT_GB"),
                cpu=newest.get("CPU_USAGE"),
                cpu_limit=newest.get("CPU_LIMIT"),
                disk_gb=newest.get("DISK_USAGE_GB"),
                received_gb=newest.get("NETWORK_RX_GB"),
                sent_gb=newest.get("NETWORK_TX_GB"),
                seen_at=max((samples[-1].at for kind, samples in kinds.items() if kind in _USED), default=None),
            )


def parse_time(text: str) -> datetime:
    """Parse RFC 3339; nanoseconds are cut to microseconds. A time without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _configured_regions(node: Json, environment_config: object) -> dict[str, int]:
    """`{region: replicas}` as configured, else as in the latest deployment; empty if Railway reports neither."""
    config = _mapping(_mapping(_mapping(environment_config).get("services")).get(node["serviceId"]))
    manifest = _mapping(_mapping(_mapping(node.get("latestDeployment")).get("meta")).get("serviceManifest"))
    for deploy in (_mapping(config.get("deploy")), _mapping(manifest.get("deploy"))):
        regions = _regions(deploy, default_region=node.get("region"))
        if regions:
            return regions
    return {}


def _regions(deploy: Json, *, default_region: str | None) -> dict[str, int]:
    """`{region: replicas}`; `multiRegionConfig` wins over `region` and `numReplicas`, as in Railway's own CLI."""
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
    """A developer's text, with sensitive data removed, because it is shown to everyone."""
    text = _text(value)
    return mask_message(text) if text else None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_EDGES = ("environment", "serviceInstances", "edges")
_JUDGED = ("activeDeployments", "latestDeployment")  # without them the active deployment is unknown


def is_of_one_service(path: Sequence[object]) -> bool:
    """True if an error at this path is about one service and leaves the others as they are."""
    return tuple(path[: len(_EDGES)]) == _EDGES and len(path) > len(_EDGES) and isinstance(path[len(_EDGES)], int)


def is_of_a_creator(path: Sequence[object]) -> bool:
    """True if an error at this path is about the person who made a deployment, as when that account is gone."""
    return "creator" in path


def keep_whole_services(data: Mapping[str, Any], paths: Sequence[Sequence[object]]) -> Mapping[str, Any] | None:
    """The `environment` with the services whose data are complete enough; None if it has no list of services."""
    environment = data.get("environment")
    instances = environment.get("serviceInstances") if isinstance(environment, dict) else None
    edges = instances.get("edges") if isinstance(instances, dict) else None
    if not isinstance(environment, dict) or not isinstance(edges, list):
        return None
    failed = {(path[len(_EDGES)], field) for path in paths for field in _JUDGED if field in path}
    whole = [edge for n, edge in enumerate(edges) if _is_whole(edge, {field for at, field in failed if at == n})]
    return environment | {"serviceInstances": {"edges": whole}}


def _is_whole(edge: object, failed: set[str]) -> bool:
    """True if the service's deployments can be judged; errors within a deployment leave out only parts of it."""
    node = edge.get("node") if isinstance(edge, dict) else None
    if not isinstance(node, dict) or not isinstance(node.get("activeDeployments"), list):
        return False
    if not all(isinstance(active, dict) for active in node["activeDeployments"]):
        return False
    return "latestDeployment" not in failed or isinstance(node.get("latestDeployment"), dict)


TOKEN_REFUSALS = ("not authorized", "project token not found", "two factor authentication")  # in Railway's messages
# Parts of error messages by which a GraphQL server refuses a document, its variables or an unknown id before acting.
_REFUSALS = (
    *TOKEN_REFUSALS,
    "not found",
    "validation",
    "syntax error",
    "cannot query field",
    "unknown argument",
    "unknown type",
    "must have a selection of subfields",
    "must not have a selection",
    "got invalid value",
    "of required type",
)
# Values of `extensions.code`, as Apollo Server sets it.
_CODES = frozenset(
    {
        "BAD_USER_INPUT",
        "FORBIDDEN",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "NOT_FOUND",
        "UNAUTHENTICATED",
    }
)


def is_refusal(status: int, answer: Mapping[str, Any]) -> bool:
    """True if an answer with errors proves that nothing was done. `status` is its HTTP status."""
    data, errors = answer.get("data"), answer.get("errors")
    if isinstance(data, dict) and any(value is not None for value in data.values()):
        return False
    if status in REFUSED:
        return True
    return status < 300 and isinstance(errors, list) and bool(errors) and all(map(_is_known, errors))


def _is_known(error: object) -> bool:
    if not isinstance(error, dict):
        return False
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    error_text = str(error.get("message") or "").lower()
    return code in _CODES or any(refusal in error_text for refusal in _REFUSALS)
