"""Check that each service's variables are set, well-formed and consistent (runbook, "Required Environment Variables")

When:   a service does not start, or talks to the wrong project; before a first deploy.
Effect: none, it only reads; no value is ever shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from playbooks.checks import agreement, variables
from playbooks.model import Finding
from services.domain.deployments import ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import OperatedService, System


@dataclass(frozen=True)
class Facts:
    """`variables`: for each checked service, the variables that Railway renders for it."""

    variables: Mapping[Service, Mapping[str, Secret] | Unavailable]
    services: Mapping[Service, ServiceState] | Unavailable
    railway_environment: str | Unavailable
    bot_environment: str | None
    now: datetime
    system: System = field(kw_only=True)


def check(facts: Facts) -> dict[Service, list[Finding]]:
    """The findings of each checked service."""
    operated = (facts.system.find(service) for service in facts.variables)
    return {one.service: _check_service(facts, one) for one in operated if one is not None}


def _check_service(facts: Facts, operated: OperatedService) -> list[Finding]:
    service = operated.service
    own = facts.variables[service]
    found = variables.check(variables.Facts(operated, own, facts.now))
    if isinstance(own, Unavailable):
        return found
    together = agreement.Facts(
        service=service,
        variables=own,
        now=facts.now,
        railway_environment=facts.railway_environment,
        bot_environment=facts.bot_environment,
        start_command=_start_command(facts, service),
        right_commands=operated.start_commands,
    )
    return [*found, *agreement.check(together)]


def _start_command(facts: Facts, service: Service) -> str | Unavailable | None:
    state = find_state(facts.services, service)
    if isinstance(state, Unavailable):
        return state
    return state.start_command if state else Unavailable("Railway", f"it has no service {service}")
