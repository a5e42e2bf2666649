"""Are each service's variables there, well-formed and of one mind? (runbook, "Required Environment Variables")

When:   a service does not start, or talks to the wrong project; before a first deploy.
Effect: none, it only reads; no value is ever shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from playbooks.checks import agreement, variables
from playbooks.model import Finding
from services.domain.deployments import ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.secrets import Secret
from services.domain.services import Service


@dataclass(frozen=True)
class Facts:
    """`variables`: for each service looked at, what Railway renders for it. `procfile`: `{process name: command}`."""

    variables: Mapping[Service, Mapping[str, Secret] | Unavailable]
    services: Mapping[Service, ServiceState] | Unavailable
    railway_environment: str | Unavailable
    bot_environment: str | None
    procfile: Mapping[str, str]
    now: datetime


def check(facts: Facts) -> dict[Service, list[Finding]]:
    """The findings of each service that was looked at."""
    return {service: _check_service(facts, service) for service in facts.variables}


def _check_service(facts: Facts, service: Service) -> list[Finding]:
    own = facts.variables[service]
    found = variables.check(variables.Facts(service, own, facts.now))
    if isinstance(own, Unavailable):
        return found
    together = agreement.Facts(
        service=service,
        variables=own,
        now=facts.now,
        railway_environment=facts.railway_environment,
        bot_environment=facts.bot_environment,
        start_command=_start_command(facts, service),
        procfile_command=facts.procfile.get(service.value.removeprefix("dragonfly-")),
    )
    return [*found, *agreement.check(together)]


def _start_command(facts: Facts, service: Service) -> str | Unavailable | None:
    state = find_state(facts.services, service)
    if isinstance(state, Unavailable):
        return state
    return state.start_command if state else Unavailable("Railway", f"it has no service {service}")
