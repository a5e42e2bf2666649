"""Names the few causes from which the other findings follow: one table for everything that lists findings.

A cause is named only on its own evidence; `EXPLAINS` has the findings that it explains. All others stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from playbooks.log_lines import Topic
from playbooks.model import Finding, NextStep, Status, worst, wrong_first
from services.domain.services import Service
from services.domain.systems import System
from services.domain.text import counted

CONFIG = NextStep("Check the settings", "check-config")


class Kind(StrEnum):
    """A kind of cause, the most fundamental first."""

    DATABASE = "database"
    NO_ACCESS = "database access"  # the database answers, but not to some of our processes
    NO_WRITES = "database writes"
    MIGRATIONS = "migrations"
    PERMISSIONS = "permissions"
    DEPLOY = "deploy"
    WORKER = "worker"
    API = "api"
    RAILWAY = "railway"


@dataclass(frozen=True)
class Found:
    """The checks' findings. `database_since`: since when the bot has not reached the database, None if it does not
    know. `same_again`: deployments that did not change the running code."""

    findings: Sequence[Finding]
    now: datetime
    database_since: datetime | None
    same_again: frozenset[str]
    system: System

    def one(self, check: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.check == check), None)

    def wrong(self, prefix: str) -> list[Finding]:
        """The findings that are certainly problems."""
        statuses = (Status.FAIL, Status.WARN)
        return [one for one in self.findings if one.status in statuses and one.check.startswith(f"{prefix}.")]

    def saying(self, words: str) -> list[Finding]:
        """Log lines and job errors that contain these words."""
        return [one for one in (*self.wrong("logs"), *self.wrong("queue")) if words in one.title.lower()]


def first_moment(findings: Sequence[Finding]) -> datetime | None:
    moments = [moment for one in findings if (moment := read_moment(one.evidence.get("first_at")))]
    return min(moments, default=None)


def read_moment(written: object) -> datetime | None:
    return datetime.fromisoformat(written) if isinstance(written, str) else None


@dataclass(frozen=True)
class Cause:
    """A cause of other findings. `finding`: the problem, the remedy (its detail) and the button for it. `sources`: the
    checks that it replaces, which are not listed again. `service`: the affected service, None for all. `since`: None if
    unknown."""

    kind: Kind
    finding: Finding
    sources: frozenset[str]
    since: datetime | None = None

    @property
    def service(self) -> Service | None:
        return self.finding.service


@dataclass(frozen=True)
class Diagnosis:
    """A cause and the findings that follow from it."""

    cause: Cause
    follows: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        return self.cause.finding

    @property
    def words(self) -> str:
        """ "19 other findings follow from it."; empty if there are none."""
        if not self.follows:
            return ""
        verb = "follows" if len(self.follows) == 1 else "follow"
        return f"{counted(len(self.follows), 'other finding')} {verb} from it."


@dataclass(frozen=True)
class Diagnosed:
    """`diagnoses`: the most urgent first. `rest`: the findings that none of them explains, in the given order."""

    diagnoses: tuple[Diagnosis, ...]
    rest: tuple[Finding, ...]

    @property
    def first(self) -> Diagnosis | None:
        return self.diagnoses[0] if self.diagnoses else None

    @property
    def causes(self) -> tuple[Finding, ...]:
        return tuple(one.finding for one in self.diagnoses)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings: causes, those that follow from each, and the rest."""
        explained = [finding for one in self.diagnoses for finding in (one.finding, *one.follows)]
        return (*explained, *self.rest)

    @property
    def status(self) -> Status:
        return worst(self.findings)


def fold(findings: Sequence[Finding], causes: Sequence[Cause]) -> Diagnosed:
    """Put each finding under the first cause that replaces or explains it. `causes`: the most fundamental first."""
    left = list(findings)
    diagnoses: list[Diagnosis] = []
    for cause in causes:
        if cause.sources and not any(finding.check in cause.sources for finding in left):
            continue  # an earlier cause explains it
        follows = [one for one in left if one.check not in cause.sources and explains(cause, one)]
        left = [one for one in left if one.check not in cause.sources and one not in follows]
        diagnoses.append(Diagnosis(cause, tuple(wrong_first(follows))))
    diagnoses.sort(key=lambda one: -one.finding.status.urgency)
    return Diagnosed(tuple(diagnoses), tuple(left))


def explains(cause: Cause, finding: Finding) -> bool:
    """True if the finding may be just an effect of the cause; False for one without a problem."""
    if finding.status is Status.OK:
        return False
    is_shared = finding.service is None and finding.check in _SHARED
    if cause.service is not None and finding.service is not cause.service and not is_shared:
        return False
    return any(follow.fits(cause, finding) for follow in EXPLAINS[cause.kind])


Test = Callable[[Cause, Finding], bool]

_UNKNOWN = frozenset({Status.UNKNOWN})
_WRONG = frozenset({Status.FAIL, Status.WARN})
_NOT_FINE = _UNKNOWN | _WRONG


def _always(cause: Cause, finding: Finding) -> bool:  # noqa: ARG001 - as the others
    return True


def _is_server_error(cause: Cause, finding: Finding) -> bool:  # noqa: ARG001 - as the others
    status = finding.evidence.get("http_status")
    return finding.evidence.get("db_connected") is False or (isinstance(status, int) and status >= 500)


def _lacks_database(cause: Cause, finding: Finding) -> bool:  # noqa: ARG001 - as the others
    return finding.evidence.get("database_ok") is False


def _of_topics(*topics: Topic) -> Test:
    return lambda _, finding: finding.evidence.get("topic") in topics


def _mentions(*words: str) -> Test:
    """A test that the title has one of these words, in lower case."""
    return lambda _, finding: any(word in finding.title.lower() for word in words)


def _either(*tests: Test) -> Test:
    return lambda cause, finding: any(test(cause, finding) for test in tests)


def _is_fresh_crash(cause: Cause, finding: Finding) -> bool:
    """True if the process crashed while its database was away; False if something was deployed since."""
    deployed = finding.evidence.get("latest_at")
    is_newer = cause.since is not None and isinstance(deployed, str) and datetime.fromisoformat(deployed) > cause.since
    return not is_newer


@dataclass(frozen=True)
class Follow:
    """Findings whose check begins with `prefix`, that have one of `statuses` and pass `test`."""

    prefix: str
    statuses: frozenset[Status] = _NOT_FINE
    test: Test = _always

    def fits(self, cause: Cause, finding: Finding) -> bool:
        is_named = finding.check == self.prefix or finding.check.startswith(f"{self.prefix}.")
        return is_named and finding.status in self.statuses and self.test(cause, finding)


_READ_IN_DATABASE = ("database", "drift", "queue", "heartbeats", "claiming", "roles", "security", "lock", "sha")
_SHARED = frozenset(
    {"queue.backlog", "queue.orphaned", "queue.errors", "sha.same"}
)  # findings about all services that one service may cause
_IN_SERVICE = ("deployment", "heartbeats", "workers", "claiming", "logs", "sha", "queue.backlog", "queue.orphaned")
_is_about_database = _either(
    _of_topics(Topic.CONNECTIVITY, Topic.REQUESTS),
    _mentions("connection", "operationalerror", "database", "pool", "idle"),
)
_MISSING_WORDS = ("does not exist", "undefined")

EXPLAINS: Mapping[Kind, tuple[Follow, ...]] = {
    Kind.DATABASE: (
        *(Follow(area, _UNKNOWN) for area in _READ_IN_DATABASE),
        Follow("api", _WRONG, _is_server_error),
        Follow("intake", _WRONG, _is_server_error),
        Follow("workers", _WRONG, _lacks_database),
        Follow("logs", _NOT_FINE, _is_about_database),
        Follow("deployment", _WRONG, _is_fresh_crash),
        Follow("drift.endpoints", _UNKNOWN),
    ),
    Kind.NO_ACCESS: (
        *(Follow(area, _UNKNOWN) for area in _READ_IN_DATABASE),
        Follow("api", _WRONG, _is_server_error),
        Follow("intake", _WRONG, _is_server_error),
        Follow("workers", _WRONG, _lacks_database),
        Follow("logs", _WRONG, _is_about_database),
    ),
    Kind.NO_WRITES: (
        *map(Follow, ("api", "intake", "workers", "heartbeats", "claiming", "deployment")),
        Follow("queue.backlog"),
        Follow("queue.orphaned"),
        Follow("logs", _WRONG, _either(_is_about_database, _mentions("read-only", "disk", "space"))),
    ),
    Kind.MIGRATIONS: (
        Follow("drift"),
        Follow("database.schemas"),
        Follow("database.system"),
        Follow("queue.errors", _WRONG, _mentions(*_MISSING_WORDS)),
        Follow("logs", _WRONG, _either(_mentions(*_MISSING_WORDS), _of_topics(Topic.REQUESTS))),
        Follow("claiming", _WRONG),
        Follow("workers", _WRONG),
        Follow("api", _WRONG, _is_server_error),
        Follow("intake", _WRONG, _is_server_error),
        *(Follow(area, _UNKNOWN) for area in _READ_IN_DATABASE),
    ),
    Kind.PERMISSIONS: (
        Follow("drift", _WRONG, _mentions("permission denied", " lacks ", "hides")),
        Follow("database.schemas"),
        Follow("database.visibility"),
        Follow("roles", _WRONG),
        Follow("queue.errors", _WRONG, _mentions("permission denied")),
        Follow("logs", _WRONG, _of_topics(Topic.PERMISSIONS, Topic.REQUESTS)),
        Follow("claiming", _WRONG),
        Follow("workers", _WRONG),
        Follow("api", _WRONG, _is_server_error),
        Follow("intake", _WRONG, _is_server_error),
        *(Follow(area, _UNKNOWN) for area in _READ_IN_DATABASE),
    ),
    Kind.DEPLOY: tuple(map(Follow, (*_IN_SERVICE, "queue.errors", "api", "intake", "drift.endpoints"))),
    Kind.WORKER: tuple(map(Follow, _IN_SERVICE)),
    Kind.API: tuple(map(Follow, ("intake", "drift.endpoints", "sha", "logs", "deployment"))),
    Kind.RAILWAY: tuple(Follow(area, _UNKNOWN) for area in ("deployment", "sha", "heartbeats", "env", "logs")),
}
