"""What Railway's answer about all services is still worth when it has errors beside its data; pure.

GraphQL answers what it can: a field that failed is null, or, where the schema forbids null, whatever is around it. Such
a null must not be read as "none".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_EDGES = ("environment", "serviceInstances", "edges")
_JUDGED = ("activeDeployments", "latestDeployment")  # without these nobody can say what runs


def is_of_one_service(path: Sequence[object]) -> bool:
    """Whether an error at this path is about one service, and leaves the others as they are."""
    return tuple(path[: len(_EDGES)]) == _EDGES and len(path) > len(_EDGES) and isinstance(path[len(_EDGES)], int)


def keep_whole_services(data: Mapping[str, Any], paths: Sequence[Sequence[object]]) -> Mapping[str, Any] | None:
    """The `environment` with the services that can be judged; None when there is no list of them."""
    environment = data.get("environment")
    instances = environment.get("serviceInstances") if isinstance(environment, dict) else None
    edges = instances.get("edges") if isinstance(instances, dict) else None
    if not isinstance(environment, dict) or not isinstance(edges, list):
        return None
    failed = {(path[len(_EDGES)], field) for path in paths for field in _JUDGED if field in path}
    whole = [edge for n, edge in enumerate(edges) if _is_whole(edge, {field for at, field in failed if at == n})]
    return environment | {"serviceInstances": {"edges": whole}}


def _is_whole(edge: object, failed: set[str]) -> bool:
    """A field that failed below its own level is there, with what failed in it left out."""
    node = edge.get("node") if isinstance(edge, dict) else None
    if not isinstance(node, dict) or not isinstance(node.get("activeDeployments"), list):
        return False
    if not all(isinstance(active, dict) for active in node["activeDeployments"]):
        return False
    return "latestDeployment" not in failed or isinstance(node.get("latestDeployment"), dict)
