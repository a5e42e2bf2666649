"""Does a service have the runbook's variables, and can each of them work? (runbook, "Required Environment Variables")

Values are looked at and never shown: no finding quotes one, not even in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from playbooks._contract import Finding, NextStep, Status
from playbooks.checks import shapes
from playbooks.checks.shapes import Shape
from services.domain.errors import Unavailable
from services.domain.secrets import Secret
from services.domain.services import Service

COMMON = ("SUPABASE_MODE", "ENVIRONMENT", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL")
OF_ONE_SERVICE = {Service.API: ("DRAGONFLY_API_KEY",), Service.ENFORCEMENT: ("OPENAI_API_KEY",), Service.INGEST: ()}
# Judged where they are; Railway sets PORT when the process starts, so it may be absent here.
OPTIONAL = {Service.API: ("PORT",), Service.ENFORCEMENT: ("OPENAI_BASE_URL", "OPENAI_MODEL"), Service.INGEST: ()}

_READERS = {
    "SUPABASE_MODE": shapes.read_environment,
    "ENVIRONMENT": shapes.read_environment,
    "SUPABASE_URL": shapes.read_url,
    "SUPABASE_DB_URL": shapes.read_dsn,
    "PORT": shapes.read_port,
    "OPENAI_API_KEY": shapes.read_openai_key,
    "OPENAI_BASE_URL": shapes.read_https_url,
}


@dataclass(frozen=True)
class Facts:
    """One service's variables as Railway renders them. `now` judges whether a key has expired."""

    service: Service
    variables: Mapping[str, Secret] | Unavailable
    now: datetime


def required(service: Service) -> tuple[str, ...]:
    """The names that the runbook requires of the service."""
    return COMMON + OF_ONE_SERVICE[service]


def check(facts: Facts) -> list[Finding]:
    """One finding a variable, `env.<service>.<NAME>`; a single one when Railway does not tell."""
    service = facts.service
    if isinstance(facts.variables, Unavailable):
        title = f"{service.short} variables unknown"
        return [Finding(f"env.{service.short}", Status.UNKNOWN, title, facts.variables.why, service)]
    present = [name for name in OPTIONAL[service] if name in facts.variables]
    return [_check_one(facts.variables, name, facts) for name in (*required(service), *present)]


def read_shape(name: str, variables: Mapping[str, Secret], now: datetime) -> Shape | None:
    """What is seen in a variable's value; None when it is absent or empty."""
    secret = variables.get(name)
    if secret is None or not secret.reveal().strip():
        return None
    value = secret.reveal()
    if value != value.strip():
        return Shape("has white space around it")
    if "${{" in value:
        return Shape("is a reference that Railway did not resolve")
    if name == "SUPABASE_SERVICE_ROLE_KEY":
        return shapes.read_service_role_key(value, now)
    return _READERS.get(name, partial(shapes.read_any))(value)


def _check_one(variables: Mapping[str, Secret], name: str, facts: Facts) -> Finding:
    check_name, service = f"env.{facts.service.short}.{name}", facts.service
    shape = read_shape(name, variables, facts.now)
    step = NextStep(f"Variables of {service.short}", f"env {service.short}")
    if shape is None:
        empty = name in variables
        title, detail = f"{name} {'is empty' if empty else 'is missing'}", "" if empty else "or sealed in Railway"
        return Finding(check_name, Status.FAIL, title, detail, service, {"state": "missing"}, step)
    if shape.fault:
        evidence = {"state": "malformed"}
        return Finding(check_name, Status.FAIL, f"{name} is malformed", f"it {shape.fault}", service, evidence, step)
    return Finding(check_name, Status.OK, f"{name} is present", shape.meaning or "", service, {"state": "present"})
