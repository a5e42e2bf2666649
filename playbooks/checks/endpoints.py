"""Does the API still have the endpoints that are used? (drift; runbook, "Health check URLs")"""

from __future__ import annotations

from collections.abc import Mapping, Set

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.health import Endpoint
from services.domain.services import Service

STEP = NextStep("Deployments of api", "deployments api")

# Endpoint -> what does not work without it. A test compares them with what our client calls and what the API has.
NEEDED: Mapping[Endpoint, tuple[str, ...]] = {
    Endpoint("GET", "/api/health"): ("health", "sha", "verify", "prod-gate"),
    Endpoint("GET", "/api/v1/intake/health"): ("health", "verify"),
    Endpoint("GET", "/api/live"): ("deploy", "rollback", "restart"),  # Railway's health check lets no deployment live
    Endpoint("POST", "/api/v1/intake/upload"): ("golden-path",),
    Endpoint("GET", "/api/v1/intake/batches/{batch_id}"): ("golden-path",),
}


def check(endpoints: Set[Endpoint] | Unavailable) -> list[Finding]:
    """One finding an endpoint that is gone, `drift.endpoint.<path>`; one when all are there or nobody knows."""
    if isinstance(endpoints, Unavailable):
        title = "endpoints of the API unknown"
        return [Finding("drift.endpoints", Status.UNKNOWN, title, endpoints.why, Service.API, next_step=STEP)]
    missing = [endpoint for endpoint in NEEDED if endpoint not in endpoints]
    if not missing:
        return [Finding("drift.endpoints", Status.OK, f"all {len(NEEDED)} endpoints are there", "", Service.API)]
    return [_gone(endpoint) for endpoint in missing]


def _gone(endpoint: Endpoint) -> Finding:
    commands = NEEDED[endpoint]
    return Finding(
        f"drift.endpoint.{endpoint.path}",
        Status.FAIL,
        f"the API has no {endpoint.method} {endpoint.path}",
        f"affects {', '.join(commands)}",
        Service.API,
        {"endpoint": list(endpoint), "commands": list(commands)},
        STEP,
    )
