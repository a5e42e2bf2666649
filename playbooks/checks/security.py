"""Checks that roles without a right to it have no access to the database, and that each process has its own role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playbooks.model import Finding, NextStep, Status
from services.domain.database import Exposure, SessionRole
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import OperatedService, System
from services.domain.text import counted


def check_roles(sessions: Sequence[SessionRole] | Unavailable, system: System) -> list[Finding]:
    """`roles.<service>`: one finding per service whose sessions are visible; a pooler may hide all of them."""
    if isinstance(sessions, Unavailable):
        return [Finding("roles", Status.UNKNOWN, "roles of the processes unknown", sessions.why)]
    found = {one: _roles(one.service, sessions) for one in system.operated}
    return [_judge(one, roles) for one, roles in found.items() if roles]


def _roles(service: Service, sessions: Sequence[SessionRole]) -> list[str]:
    return sorted({session.role for session in sessions if session.process.startswith(service.value)})


def _judge(operated: OperatedService, roles: Sequence[str]) -> Finding:
    service, right = operated.service, " or ".join(operated.roles)
    name, evidence = f"roles.{service.short}", {"roles": list(roles)}
    wrong = [role for role in roles if role not in operated.roles]
    if not wrong:
        return Finding(name, Status.OK, f"{service.short} connects as {', '.join(roles)}", "", service, evidence)
    title = f"{service.short} connects as {', '.join(wrong)}, not as {right}"
    step = NextStep(f"Variables of {service.short}", f"env {service.short}")
    return Finding(name, Status.WARN, title, "", service, evidence, step)


STEP = NextStep("Run the security audit", "security-audit")
MAX_NAMED = 5  # objects in one line; the evidence has all of them

# Kind of exposure -> its severity, the title without one, the remedy.
_KINDS: Mapping[str, tuple[Status, str, str]] = {
    "grants": (Status.FAIL, "no rights of anon, authenticated or PUBLIC on the closed schemas", "REVOKE them"),
    "functions": (Status.FAIL, "no function gives them access to the closed schemas", "REVOKE EXECUTE"),
    "policies": (Status.FAIL, "no row-level security policy gives them access", "DROP POLICY"),
    "rls": (Status.FAIL, "row-level security is on everywhere", "ALTER TABLE … ENABLE ROW LEVEL SECURITY"),
    "definer": (Status.FAIL, "every SECURITY DEFINER function has a search_path", "ALTER FUNCTION … SET search_path"),
    "public_schema": (Status.FAIL, "no one can create in schema public", "REVOKE CREATE ON SCHEMA public"),
    "defaults": (Status.FAIL, "default privileges expose nothing", "ALTER DEFAULT PRIVILEGES … REVOKE"),
    "views": (Status.WARN, "no view of schema public reads with its owner's rights", "SET (security_invoker = true)"),
    "roles": (
        Status.FAIL,
        "our roles, anon and authenticated have only the rights they need",
        "ALTER ROLE … NOSUPERUSER …, or REVOKE",
    ),
    "logins": (Status.WARN, "only known roles can log in", "ALTER ROLE … NOLOGIN, or drop the role"),
}


_IN_PUBLIC = ("public_schema", "views")  # checked only if the system has tables in schema public


def check(exposures: Sequence[Exposure] | Unavailable, system: System) -> list[Finding]:
    """One finding per kind, `security.<kind>`; one `security.audit` if the catalog can't be read."""
    if isinstance(exposures, Unavailable):
        return [Finding("security.audit", Status.UNKNOWN, "security unknown", exposures.why, next_step=STEP)]
    kinds = [kind for kind in _KINDS if kind not in _IN_PUBLIC or "public" in system.schemas]
    return [_check_kind(kind, [one for one in exposures if one.kind == kind]) for kind in kinds]


def _check_kind(kind: str, found: Sequence[Exposure]) -> Finding:
    status, fine, remedy = _KINDS[kind]
    name = f"security.{kind}"
    if not found:
        return Finding(name, Status.OK, fine)
    found = sorted(found, key=lambda one: one.is_theirs)
    if found[0].is_theirs:
        status, remedy = Status.WARN, f"The owner of the operated system decides: {remedy}"
    named = "; ".join(map(_words, found[:MAX_NAMED]))
    more = f"; {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    evidence = {"open": [_words(one) for one in found]}
    title = f"{counted(len(found), 'exposure')}: {kind.replace('_', ' ')}"
    return Finding(name, status, title, f"{named}{more}. {remedy}", evidence=evidence, next_step=STEP)


def _words(one: Exposure) -> str:
    return (
        f"{one.subject}: {one.role} {one.what}"
        if one.role and one.role != one.subject
        else f"{one.subject}: {one.what}"
    )
