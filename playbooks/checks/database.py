"""Checks that the database is reachable, with which role, pooler and schemas (runbook, "Variable Validation")."""

from __future__ import annotations

from playbooks.model import Finding, NextStep, Status
from services.domain.database import ConnectionUse, ServerFacts
from services.domain.errors import Unavailable
from services.domain.text import counted

CONFIG = NextStep("Check the settings", "check-config")
ADOPT_AGAIN = "`dragonfly adopt` on a terminal grants what the bot reads"
NO_WRITES = "the database accepts no writes"

_NO_LISTEN = "transaction pooler: no LISTEN, so the bot polls"


def check(server: ServerFacts | Unavailable) -> list[Finding]:
    """`database.reachable` and, if it is, `database.schemas`; `database.writes` if it refuses writes, `database.system`
    if it isn't the one to operate, and `database.visibility` if rows may be hidden from us."""
    if isinstance(server, Unavailable):
        return [Finding("database.reachable", Status.UNKNOWN, "database does not answer", server.why, next_step=CONFIG)]
    refused = [refuses_writes(server.refuses_writes)] if server.refuses_writes else []
    hidden = [_hidden(server)] if server.hidden_tables else []
    return [*refused, *check_system(server.system_problem), _reachable(server), _schemas(server), *hidden]


def check_system(problem: str | None) -> list[Finding]:
    """`database.system`, if the database holds another system than the bot was installed for, or an unknown one."""
    if problem is None:
        return []
    detail = f"{problem}. No change can be requested, approved or started until it is the right database"
    return [Finding("database.system", Status.FAIL, "changes are disabled", detail, next_step=CONFIG)]


def sees_all(server: ServerFacts | Unavailable) -> bool:
    """False if row-level security may hide rows from us, so that counts may be too low."""
    return isinstance(server, Unavailable) or not server.hidden_tables


def refuses_writes(why: str) -> Finding:
    """The finding for a database that refuses writes; it answers reads, so they show no problem."""
    detail = f"{why}; nothing is queued, claimed, approved or recorded until the database has room or is writable again"
    return Finding("database.writes", Status.FAIL, NO_WRITES, detail, evidence={"why": why}, next_step=CONFIG)


def _reachable(server: ServerFacts) -> Finding:
    evidence = {
        "role": server.current_user,
        "database": server.database,
        "pooler_mode": server.pooler_mode,
        "version": server.version,
    }
    title = f"database reachable as {server.current_user}"
    detail = _NO_LISTEN if server.pooler_mode == "transaction" else ""
    return Finding("database.reachable", Status.OK, title, detail, evidence=evidence)


def _schemas(server: ServerFacts) -> Finding:
    missing = server.missing_schemas
    evidence = {"visible": list(server.schemas), "missing": list(missing)}
    if not missing:
        visible = counted(len(server.schemas), "schema")
        return Finding("database.schemas", Status.OK, f"{visible} visible", evidence=evidence)
    title = f"database hides schema {', '.join(missing)} from {server.current_user}"
    detail = "the schema is not there, or the role lacks USAGE on it"
    if not server.is_migrated:
        detail = f"{detail}; {ADOPT_AGAIN}"
    step = NextStep("Show migrations", "migrations") if server.is_migrated else CONFIG
    return Finding("database.schemas", Status.FAIL, title, detail, evidence=evidence, next_step=step)


def _hidden(server: ServerFacts) -> Finding:
    title = f"database may hide rows from {server.current_user}"
    tables = ", ".join(server.hidden_tables)
    needs = "the role needs BYPASSRLS or a policy" if server.is_migrated else ADOPT_AGAIN
    detail = f"row-level security on {tables}: counts may be too low; {needs}"
    evidence = {"hidden_tables": list(server.hidden_tables)}
    return Finding("database.visibility", Status.UNKNOWN, title, detail, evidence=evidence, next_step=CONFIG)


def check_connections(use: ConnectionUse | Unavailable, *, share: float) -> Finding:
    """`database.connections`: warns if `share` of the connections that the database or its pooler allows is in use."""
    name = "database.connections"
    if isinstance(use, Unavailable):
        return Finding(name, Status.UNKNOWN, "connections of the database unknown", use.why, next_step=CONFIG)
    title = f"{use.used} of {use.limit} connections of the database are in use"
    evidence: dict[str, object] = {"used": use.used, "limit": use.limit}
    if use.used < share * use.limit:
        return Finding(name, Status.OK, title, evidence=evidence)
    detail = "a process that needs one more fails; scale down, or raise the limit"
    return Finding(name, Status.WARN, title, detail, evidence=evidence, next_step=NextStep("Health", "health"))
