"""The reads that a model may choose from: enums and services of the system, so that no text of a model reaches a
command line. Pure.

Everything else can't be chosen: no change, no `env`, `security-audit` or `audit`, and no `--raw`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.domain.services import Service
from services.domain.systems import System

MAX_READS = 6  # per round


class ReadVerb(StrEnum):
    """The kinds of reads. All but `RECENT_CHANGES` are commands."""

    DOCTOR = "doctor"
    HEALTH = "health"
    SHA = "sha"
    VERIFY = "verify"
    HEARTBEATS = "heartbeats"
    QUEUE = "queue"
    THROUGHPUT = "throughput"
    FAILED_JOBS = "failed-jobs"
    INTAKE = "intake"
    DEPLOYMENTS = "deployments"
    LOGS = "logs"
    MIGRATIONS = "migrations"
    RECENT_CHANGES = "recent-changes"
    INCIDENT_TIMELINE = "incident timeline"
    RUNS = "runs"
    WHY = "why"
    ONCALL = "oncall"
    SILENCES = "silences"


class Window(StrEnum):
    """The time span that a read covers."""

    MINUTES_10 = "10m"
    HOUR = "1h"
    HOURS_6 = "6h"
    DAY = "1d"


_NEEDS_SERVICE = frozenset({ReadVerb.DEPLOYMENTS, ReadVerb.LOGS, ReadVerb.WHY})
_TAKES_SERVICE = _NEEDS_SERVICE | {ReadVerb.VERIFY, ReadVerb.HEARTBEATS}
_TAKES_WINDOW = frozenset({ReadVerb.THROUGHPUT, ReadVerb.FAILED_JOBS})
_SHOWS_ALL = frozenset({ReadVerb.DOCTOR, ReadVerb.HEALTH})


@dataclass(frozen=True)
class Read:
    """One read. `line` is what a person would type after `/dragonfly`."""

    verb: ReadVerb
    service: Service | None = None
    window: Window | None = None

    @property
    def line(self) -> str:
        """The command line, built from our enums and declared services only, without arguments that the command does
        not take."""
        words = [self.verb.value]
        if self.verb in _SHOWS_ALL:
            words.append("all")
        if self.service is not None and self.verb in _TAKES_SERVICE:
            words.append(self.service.short)
        if self.window is not None and self.verb in _TAKES_WINDOW:
            words.append(self.window.value)
        return " ".join(words)

    @property
    def command(self) -> str | None:
        """The command for a button; None if it lacks its service, or if there is no command."""
        return None if self.verb is ReadVerb.RECENT_CHANGES or not self.is_complete else self.line

    @property
    def is_complete(self) -> bool:
        """True if the command has every argument that it needs."""
        return self.service is not None or self.verb not in _NEEDS_SERVICE


def choose(
    wanted: Iterable[Read], system: System, *, has_incident: bool, done: Iterable[Read] = ()
) -> tuple[Read, ...]:
    """Return the reads to run: complete, each once, none of `done`, at most `MAX_READS`.

    A timeline needs the incident in whose thread the question was asked. A read that lacks its service is run for each
    service.
    """
    before = {read.line for read in done}
    chosen: dict[str, Read] = {}
    for read in wanted:
        if read.verb is ReadVerb.INCIDENT_TIMELINE and not has_incident:
            continue
        for one in (read,) if read.is_complete else (Read(read.verb, service) for service in system.services):
            if one.line not in before:
                chosen.setdefault(one.line, one)
    return tuple(chosen.values())[:MAX_READS]


# Beginnings of words in a question, and the reads that answer it without a model.
_TOPICS: tuple[tuple[tuple[str, ...], tuple[ReadVerb, ...]], ...] = (
    (("slow", "backlog", "queue", "wait", "stuck", "behind", "pending"), (ReadVerb.QUEUE, ReadVerb.THROUGHPUT)),
    (("throughput", "fast", "rate", "drain", "per"), (ReadVerb.THROUGHPUT,)),
    (("worker", "heartbeat", "beat", "alive", "dead", "stopped", "stale"), (ReadVerb.HEARTBEATS,)),
    (("fail", "error", "exception", "crash", "broke", "wrong"), (ReadVerb.FAILED_JOBS, ReadVerb.RECENT_CHANGES)),
    (("log", "line", "print"), (ReadVerb.LOGS,)),
    (("upload", "intake", "batch", "file", "csv", "row"), (ReadVerb.INTAKE,)),
    (("deploy", "release", "change", "new", "since"), (ReadVerb.RECENT_CHANGES,)),
    (("version", "commit", "sha", "runs", "running"), (ReadVerb.SHA,)),
    (("migration", "schema", "database", "postgres"), (ReadVerb.MIGRATIONS,)),
    (("call", "oncall", "who", "owner", "escalat"), (ReadVerb.ONCALL,)),
    (("silence", "mute", "quiet", "alert", "page"), (ReadVerb.SILENCES,)),
    (("approv", "rollback", "restart", "request", "run"), (ReadVerb.RUNS,)),
    (("happen", "timeline", "incident"), (ReadVerb.INCIDENT_TIMELINE, ReadVerb.RECENT_CHANGES)),
)


def reads_for(question: str, system: System, *, has_incident: bool) -> tuple[Read, ...]:
    """Return the reads that fit the question's words, without a model; `doctor` always comes first."""
    words = question.casefold().replace("-", " ").split()
    verbs = [
        verb for beginnings, verbs in _TOPICS if any(word.startswith(beginnings) for word in words) for verb in verbs
    ]
    return choose([Read(ReadVerb.DOCTOR), *map(Read, verbs)], system, has_incident=has_incident)


def services_in(question: str, system: System) -> frozenset[Service]:
    """Return the services of the system that the question names."""
    words = {word.strip(".,?!:'\"").removesuffix("'s") for word in question.casefold().split()}
    return frozenset(service for service in system.services if service.short in words)
