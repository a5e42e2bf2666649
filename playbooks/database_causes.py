"""Finds causes in the database: it does not answer, refuses writes, or lacks migrations or rights.

Each finder names a cause only on its own evidence, and says what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from playbooks.checks.database import ADOPT_AGAIN
from playbooks.log_lines import Topic
from playbooks.model import NextStep, Status
from playbooks.root_causes import CONFIG, Cause, Found, Kind, first_moment
from services.domain.text import counted

HEALTH = NextStep("Look again", "health")
SUPABASE_STATUS = NextStep("Supabase's status", url="https://status.supabase.com")


@dataclass(frozen=True)
class _Class:
    """A class of reasons why the database refuses us: words of the reason, with the matching title and next step.
    `title_since`: the title before "since 08:32"."""

    words: tuple[str, ...]
    title: str
    do: str
    step: NextStep
    title_since: str = ""
    status: Status = Status.FAIL


_UNREACHABLE = _Class(
    (),
    "The database does not answer",
    "Check Supabase's status and the database's logs.",
    SUPABASE_STATUS,
    "The database has not answered",
    Status.UNKNOWN,  # unless another source reports it too
)
_CLASSES = (
    _Class(
        ("not configured", "not connected"),
        "The bot has no access to the database",
        "Set SUPABASE_DB_URL of the bot.",
        CONFIG,
        status=Status.UNKNOWN,
    ),
    _Class(
        (
            "password",
            "no such database",
            "no such user",
            "does not allow",
            "malformed",
            "encrypted",
            "log in",
            "permit",
            "allow-list",
            "banned",
            "blocks new logins",
            "pooler needs",
            "a parameter",
        ),
        "The database refuses the bot's login",
        "Verify SUPABASE_DB_URL of the bot.",
        CONFIG,
    ),
    _Class(
        ("too many connections", "no free connection"),
        "The database has no free connection",
        "Scale the workers down, or raise the pooler's limit.",
        NextStep("Heartbeats", "heartbeats"),
    ),
    _Class(
        ("starting up", "shutting down", "recovering", "restarts after", "accepting connections"),
        "The database is restarting",
        "Wait a minute, then look again.",
        HEALTH,
    ),
)


def find_database(found: Found) -> Iterator[Cause]:
    """No process reaches the database, or only the bot doesn't."""
    reachable, api = found.one("database.reachable"), found.one("api.health")
    if reachable is None or reachable.status is Status.OK:
        return
    sources = frozenset({reachable.check})
    if api is not None and api.evidence.get("db_connected") is True:
        title = "Only the bot can't reach the database"  # followed by the time since when
        do = f"The services may be fine: api reaches it. Verify SUPABASE_DB_URL of the bot. ({reachable.detail})"
        finding = replace(reachable, title=title, detail=do, next_step=CONFIG)
        yield Cause(Kind.NO_ACCESS, finding, sources, found.database_since)
        return
    kind = next((one for one in _CLASSES if any(word in reachable.detail for word in one.words)), _UNREACHABLE)
    lines = [one for one in found.wrong("logs") if one.evidence.get("topic") == Topic.CONNECTIVITY]
    is_certain = any(one.status is Status.FAIL for one in lines) or (
        api is not None and api.evidence.get("db_connected") is False
    )
    status = Status.FAIL if is_certain else kind.status
    since = found.database_since or first_moment(lines)
    title = kind.title_since if since and kind.title_since else kind.title
    detail = f"{kind.do} ({reachable.detail})"
    finding = replace(reachable, status=status, title=title, detail=detail, next_step=kind.step)
    yield Cause(Kind.DATABASE, finding, sources, since)


def find_refused_writes(found: Found) -> Iterator[Cause]:
    """The database answers reads but stores nothing: workers and API fail one after the other."""
    refused = found.one("database.writes")
    if refused is not None and refused.status is Status.FAIL:
        title = "The database accepts no writes"
        do = f"Free disk space or end its read-only mode in Supabase. {refused.detail[:1].upper()}{refused.detail[1:]}"
        yield Cause(Kind.NO_WRITES, replace(refused, title=title, detail=do), frozenset({refused.check}))


def find_migrations(found: Found) -> Iterator[Cause]:
    """Migrations that were not applied, and something that needs them."""
    status = found.one("database.migrations")
    pending = status.evidence.get("pending") if status else None
    if status is None or not isinstance(pending, list) or not pending:
        return
    needing = [*found.wrong("drift"), *found.saying("does not exist"), *found.wrong("database.schemas")]
    if needing:
        them = "it" if len(pending) == 1 else "them"
        title = f"{counted(len(pending), 'migration')} not applied, and the code needs {them}"
        finding = replace(status, status=Status.FAIL, title=title, detail="Apply the migrations.")
        yield Cause(Kind.MIGRATIONS, finding, frozenset({status.check}))


def find_permissions(found: Found) -> Iterator[Cause]:
    """A missing right, or a process with another role; the log may be the only evidence."""
    lines = [one for one in found.saying("permission denied") if one.status is Status.FAIL]
    refused = [*found.wrong("drift.rights"), *found.wrong("roles"), *lines]
    if not refused:
        return
    first, *others = refused
    same = sum(one.check.startswith("drift.rights.") for one in others)
    more = f", and {counted(same, 'more object')}" if same else ""
    if ADOPT_AGAIN in first.detail:  # our migrations don't change an existing system
        do = ""
    elif first.check.startswith("drift."):
        do = "Apply the migrations, or grant it again."
    else:
        do = "Verify the role in SUPABASE_DB_URL and dragonfly_app's grants."
    detail = f"{do} {first.detail}".strip()
    cause = replace(first, status=Status.FAIL, title=f"{first.title}{more}", detail=detail, service=None)
    yield Cause(Kind.PERMISSIONS, cause, frozenset({first.check}))


def find_no_access(found: Found) -> Iterator[Cause]:
    """The bot reaches the database, but operated services don't."""
    reachable = found.one("database.reachable")
    if reachable is None or reachable.status is not Status.OK:
        return
    api = found.one("api.health")
    blind = [api] if api is not None and api.evidence.get("db_connected") is False else []
    blind += [one for one in found.wrong("workers") if one.evidence.get("database_ok") is False]
    if not blind:
        return
    names = list(dict.fromkeys(one.service.short for one in blind if one.service))
    verb = "does" if len(names) == 1 else "do"
    title = f"{' and '.join(names)} {verb} not reach the database, but the bot does"
    do = f"Verify SUPABASE_DB_URL of {names[0]} and the pooler's limits."
    step = NextStep(f"Variables of {names[0]}", f"env {names[0]}")
    service = blind[0].service if len(names) == 1 else None
    cause = replace(blind[0], status=Status.FAIL, title=title, detail=do, service=service, next_step=step)
    yield Cause(Kind.NO_ACCESS, cause, frozenset({blind[0].check}))
