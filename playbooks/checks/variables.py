"""Checks that a service has the runbook's variables, each well-formed.

Values are read but never shown: no finding quotes one, not even in part.

Nothing here verifies a signature or opens a connection.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import SplitResult, parse_qsl, urlsplit

from playbooks.model import Finding, NextStep, Status
from services.domain.database import ENCODE, FOREIGN, without
from services.domain.environments import NAMES, one_of
from services.domain.errors import Unavailable
from services.domain.secrets import Secret
from services.domain.systems import OperatedService

MIN_KEY_LENGTH = 100  # the runbook: "100+ character JWT"
SERVICE_ROLE = "service_role"

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_PROJECT_HOST = re.compile(r"([a-z0-9-]+)\.supabase\.(?:co|in)\Z")
_DIRECT_HOST = re.compile(r"db\.([a-z0-9-]+)\.supabase\.(?:co|in)\Z")
_POOLER_HOST = re.compile(r".+\.pooler\.supabase\.com\Z")
_POOLER_USER = re.compile(r".+\.([a-z0-9-]+)\Z")

_PORTS = {
    5432: "session pooler (port 5432): one server connection each, prepared statements and LISTEN work",
    6543: "transaction pooler (port 6543): connections are shared, no prepared statements, no LISTEN",
}


@dataclass(frozen=True)
class Shape:
    """The properties of a value, without quoting it. `fault`: why it cannot work, None if it can.

    `project`: the Supabase project's reference that it names, only for comparison. `meaning`: its meaning in words.
    """

    fault: str | None = None
    project: str | None = None
    meaning: str | None = None


def read_environment(value: str) -> Shape:
    """A value of ENVIRONMENT or SUPABASE_MODE."""
    return Shape() if value in NAMES else Shape(f"is not {one_of(NAMES)}")


def read_port(value: str) -> Shape:
    """A TCP port."""
    fits = value.isascii() and value.isdigit() and len(value) <= 5 and 0 < int(value) < 65_536
    return Shape() if fits else Shape("is not a port number")


def read_openai_key(value: str) -> Shape:
    """OpenAI's keys start with `sk-`."""
    return Shape() if value.startswith("sk-") else Shape("does not start with sk-")


def read_https_url(value: str) -> Shape:
    """An address that a key may be sent to: encrypted, or on this machine."""
    parts = _split(value)
    if parts is None or not parts.hostname or parts.scheme not in ("http", "https"):
        return Shape("is not an http or https address")
    if parts.scheme == "http" and parts.hostname not in _LOCAL_HOSTS:
        return Shape("does not use https")
    return Shape(meaning="local" if parts.hostname in _LOCAL_HOSTS else None)


def read_any(value: str) -> Shape:
    """Any value without white space inside."""
    return Shape("has white space in it") if re.search(r"\s", value) else Shape()


def read_url(value: str) -> Shape:
    """The project's address: `https://<project>.supabase.co`, or a local one."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return Shape("is not an http or https address")
    if parts.hostname in _LOCAL_HOSTS:
        return Shape(meaning="local")
    if parts.scheme != "https":
        return Shape("does not use https")
    if parts.path not in ("", "/") or parts.query:
        return Shape("has a path, it should end after the host")
    match = _PROJECT_HOST.match(parts.hostname)
    return Shape(project=match.group(1)) if match else Shape(meaning="a custom domain")


def read_dsn(value: str) -> Shape:
    """A Postgres address. For Supabase, the port shows which pooler answers."""
    parts = _split(value)
    fault = _dsn_fault(value, parts)
    if fault or parts is None or parts.hostname is None or parts.username is None:
        return Shape(fault)
    port = parts.port or 5432
    if parts.hostname in _LOCAL_HOSTS:
        return Shape(meaning="local, no pooler")
    if direct := _DIRECT_HOST.match(parts.hostname):
        return Shape(project=direct.group(1), meaning="direct connection, no pooler: reachable over IPv6 only")
    if not _POOLER_HOST.match(parts.hostname):
        return Shape(meaning=f"not a Supabase host, port {port}")
    user = _POOLER_USER.match(parts.username)
    if user is None:
        return Shape("names a pooler, which needs a user of the form role.project")
    if port not in _PORTS:
        return Shape(f"names port {port}: the poolers listen on 5432 (session) and 6543 (transaction)", user.group(1))
    return Shape(project=user.group(1), meaning=_PORTS[port])


def _dsn_fault(value: str, parts: SplitResult | None) -> str | None:
    """A part that Postgres cannot use or would misread: raw characters in the password, parameters of other programs;
    None without one."""
    authority, _, rest = value.partition("://")[2].partition("/")
    if authority.count("@") > 1 or "@" in rest:
        return ENCODE
    if parts is None or parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        return "is not a postgresql:// address with a host"
    if not parts.username or parts.password is None:
        return "lacks the user or the password"
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return next((without(name) for name in names if name in FOREIGN), None)


def read_service_role_key(value: str, now: datetime) -> Shape:
    """A JWT whose claims name the service role. The signature is not verified: that needs the secret."""
    claims = _claims(value)
    if claims is None:
        return Shape("is not a JWT")
    if len(value) < MIN_KEY_LENGTH:
        return Shape(f"is shorter than {MIN_KEY_LENGTH} characters")
    project = claims.get("ref")
    shape = Shape(project=project if isinstance(project, str) else None)
    if claims.get("role") != SERVICE_ROLE:
        return Shape(f"is not for the role {SERVICE_ROLE}", shape.project)
    expires = claims.get("exp")
    if isinstance(expires, int | float) and now.timestamp() >= expires:
        return Shape("has expired", shape.project)
    return shape


def _claims(value: str) -> dict[str, object] | None:
    parts = value.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    header, claims = _decode(parts[0]), _decode(parts[1])
    return claims if header is not None and "alg" in header else None


def _decode(part: str) -> dict[str, object] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _split(value: str) -> SplitResult | None:
    """The parts of an address; None for text that is none, such as one whose port is no number."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


_READERS = {
    "SUPABASE_MODE": read_environment,
    "ENVIRONMENT": read_environment,
    "SUPABASE_URL": read_url,
    "SUPABASE_DB_URL": read_dsn,
    "PORT": read_port,
    "OPENAI_API_KEY": read_openai_key,
    "OPENAI_BASE_URL": read_https_url,
}


@dataclass(frozen=True)
class Facts:
    """One service's variables as Railway renders them. `now` judges whether a key has expired."""

    operated: OperatedService
    variables: Mapping[str, Secret] | Unavailable
    now: datetime


def check(facts: Facts) -> list[Finding]:
    """One finding per variable, `env.<service>.<NAME>`; a single one if Railway does not report the variables."""
    service = facts.operated.service
    if isinstance(facts.variables, Unavailable):
        title = f"{service.short} variables unknown"
        return [Finding(f"env.{service.short}", Status.UNKNOWN, title, facts.variables.why, service)]
    present = [name for name in facts.operated.optional_variables if name in facts.variables]
    return [_check_one(facts.variables, name, facts) for name in (*facts.operated.required_variables, *present)]


def read_shape(name: str, variables: Mapping[str, Secret], now: datetime) -> Shape | None:
    """The properties of a variable's value; None if it is missing or empty."""
    secret = variables.get(name)
    if secret is None or not secret.reveal().strip():
        return None
    value = secret.reveal()
    if value != value.strip():
        return Shape("has white space around it")
    if "${{" in value:
        return Shape("is a reference that Railway did not resolve")
    if name == "SUPABASE_SERVICE_ROLE_KEY":
        return read_service_role_key(value, now)
    return _READERS.get(name, partial(read_any))(value)


def _check_one(variables: Mapping[str, Secret], name: str, facts: Facts) -> Finding:
    check_name, service = f"env.{facts.operated.service.short}.{name}", facts.operated.service
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
