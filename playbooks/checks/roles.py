"""Do the API and the workers connect as the role that is meant for them? (runbook, "Troubleshooting")"""

from __future__ import annotations

from collections.abc import Sequence

from playbooks._contract import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.server import SessionRole
from services.domain.services import Service

APP_ROLE = "dragonfly_app"


def check(sessions: Sequence[SessionRole] | Unavailable) -> list[Finding]:
    """One finding a service whose sessions are seen, `roles.<service>`. A pooler may hide them; then there is none."""
    if isinstance(sessions, Unavailable):
        return [Finding("roles", Status.UNKNOWN, "roles of the processes unknown", sessions.why)]
    found = {service: _roles(service, sessions) for service in Service}
    return [_judge(service, roles) for service, roles in found.items() if roles]


def _roles(service: Service, sessions: Sequence[SessionRole]) -> list[str]:
    return sorted({session.role for session in sessions if session.process.startswith(service.value)})


def _judge(service: Service, roles: Sequence[str]) -> Finding:
    name, evidence = f"roles.{service.short}", {"roles": list(roles)}
    wrong = [role for role in roles if role != APP_ROLE]
    if not wrong:
        return Finding(name, Status.OK, f"{service.short} connects as {APP_ROLE}", "", service, evidence)
    title = f"{service.short} connects as {', '.join(wrong)}, not as {APP_ROLE}"
    step = NextStep(f"Variables of {service.short}", f"env {service.short}")
    return Finding(name, Status.WARN, title, "", service, evidence, step)
