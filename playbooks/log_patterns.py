"""The runbook's "Key Log Patterns" and "Troubleshooting" tables, and the patterns of each operated system's log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from playbooks.log_lines import Topic, read_line
from playbooks.model import Finding, NextStep
from services.domain.deployments import LogLine
from services.domain.masking import READ_LIMIT
from services.domain.services import Service


class Symptom(StrEnum):
    """The runbook's first column, then symptoms that its table lacks."""

    API_503 = "API returns 503"
    NOT_CLAIMING = "Workers not claiming jobs"
    FAILED_TRANSACTION = "InFailedSqlTransaction"
    PERMISSION_DENIED = "permission denied for table"
    CRASH_LOOP = "Crash loop detected"
    STALE_HEARTBEAT = "Heartbeat stale"
    UNREACHABLE = "Database unreachable"
    NO_CONNECTIONS = "No database connection left"
    MISSING_OBJECT = "Table, column or function does not exist"
    NOTHING_STORED = "Rows are not stored"


@dataclass(frozen=True)
class Row:
    """The other two columns, in the table's words. `command` begins the resolution; `{service}` is the short name."""

    cause: str
    resolution: str
    label: str
    command: str


TABLE: Mapping[Symptom, Row] = {
    Symptom.API_503: Row(
        "Service starting/crashed", "Check logs, wait 30s, redeploy", "Logs of {service}", "logs {service}"
    ),
    Symptom.NOT_CLAIMING: Row(
        "DB permission issue", "Verify SUPABASE_DB_URL, check grants", "Variables of {service}", "env {service}"
    ),
    Symptom.FAILED_TRANSACTION: Row(
        "Mid-transaction error", "Worker auto-recovers; check for data issues", "Failed jobs", "failed-jobs 1h"
    ),
    Symptom.PERMISSION_DENIED: Row(
        "Wrong role in connection string",
        "Use pooler URL, verify dragonfly_app grants",
        "Variables of {service}",
        "env {service}",
    ),
    Symptom.CRASH_LOOP: Row(
        "10 consecutive failures", "Check logs, fix root cause, redeploy", "Logs of {service}", "logs {service}"
    ),
    # To scale to 0 and back to 1 is to stop everything that runs, then start.
    Symptom.STALE_HEARTBEAT: Row(
        "Worker crashed without cleanup",
        "Scale to 0, wait, scale to 1",
        "Restart {service}",
        "restart {service} --through-zero",
    ),
}


# Rows that the runbook's table lacks, for problems that are not about rights.
OUR_ROWS: Mapping[Symptom, Row] = {
    Symptom.UNREACHABLE: Row(
        "The database is down, or its host and port are wrong",
        "Check Supabase's status, then the host and port in SUPABASE_DB_URL",
        "Health",
        "health",
    ),
    Symptom.NO_CONNECTIONS: Row(
        "Every connection of the pooler or the server is in use",
        "Scale the workers down, or raise the pooler's limit",
        "Heartbeats",
        "heartbeats",
    ),
    Symptom.MISSING_OBJECT: Row(
        "A migration is not applied, or the code is older than the database",
        "Apply the pending migrations, or roll back",
        "Show migrations",
        "migrations",
    ),
    Symptom.NOTHING_STORED: Row(
        "The database refused the rows, though their job or batch completes",
        "Look at why rows failed, then at pending migrations",
        "Latest batches",
        "intake",
    ),
}
ROWS: Mapping[Symptom, Row] = {**TABLE, **OUR_ROWS}


def explain(finding: Finding, symptom: Symptom, service: Service | None = None) -> Finding:
    """The finding with its row of the table: cause and resolution in the detail, the next step as a button."""
    row, short = ROWS[symptom], (service or finding.service or Service.API).short
    words = f"Likely cause: {row.cause}. To do: {row.resolution}."
    return replace(
        finding,
        detail=f"{finding.detail.rstrip('.')}. {words}" if finding.detail else words,
        evidence={**finding.evidence, "symptom": symptom.value},
        next_step=NextStep(row.label.format(service=short), row.command.format(service=short)),
    )


class Sign(StrEnum):
    """The meaning of a line. IDLE: good or bad, depending on the queue."""

    SUCCESS = "success"
    FAILURE = "failure"
    IDLE = "idle"


@dataclass(frozen=True)
class Pattern:
    """A pattern of log lines. `symptom`: its row of the troubleshooting table, None if it has none."""

    topic: Topic
    sign: Sign
    words: re.Pattern[str]
    symptom: Symptom | None = None


def _pattern(topic: Topic, sign: Sign, words: str, symptom: Symptom | None = None) -> Pattern:
    return Pattern(topic, sign, re.compile(words, re.IGNORECASE), symptom)


_REFUSED = r"password authentication failed|password refused|tenant or user not found|no pg_hba\.conf entry"
_FULL = r"too many (?:connections|clients)|remaining connection slots|max client"
_NO_DATABASE = (
    r"connection refused|PostgreSQL connection failed|not reachable|could not (?:connect|translate host)|"
    r"connection (?:lost|timed out)|server closed the connection|terminating connection|SSL connection has been closed|"
    r"(?:server|database system) is (?:starting up|shutting down|recovering|in recovery)|"
    r"not (?:yet )?accepting connections|the server restarts after a crash"
)
_MISSING = r"(?:function|procedure|relation|table|column|schema|type) \S.* does not exist"
_ABORTED = r"InFailedSqlTransaction|current transaction is aborted"

# Errors of Postgres in the logs of every system; the first match counts.
_OF_POSTGRES = (
    _pattern(Topic.CRASH_LOOP, Sign.FAILURE, r"crash loop detected", Symptom.CRASH_LOOP),
    _pattern(Topic.PERMISSIONS, Sign.FAILURE, r"permission denied", Symptom.PERMISSION_DENIED),
    _pattern(Topic.PERMISSIONS, Sign.FAILURE, _MISSING, Symptom.MISSING_OBJECT),
    _pattern(Topic.CONNECTIVITY, Sign.FAILURE, _REFUSED, Symptom.NOT_CLAIMING),
    _pattern(Topic.CONNECTIVITY, Sign.FAILURE, _FULL, Symptom.NO_CONNECTIONS),
    _pattern(Topic.CONNECTIVITY, Sign.FAILURE, _NO_DATABASE, Symptom.UNREACHABLE),
    _pattern(Topic.CLAIMING, Sign.FAILURE, _ABORTED, Symptom.FAILED_TRANSACTION),
)


@dataclass(frozen=True)
class LogPatterns:
    """The log format of one system's processes.

    `over`: the text in a later line of the same replica that shows that a failure of the topic is over. A completed job
    proves everything that jobs need, and a worker that claimed one reaches the database; `claimed` proves that a failed
    claim, which begins with `failed_claim`, is over. `request`: finds the method and the path in an access line.
    `is_silent_when_idle`: True if a worker without work logs nothing. `startup`: the lines of a worker that starts
    well. `read`: returns the line with its own level.
    """

    patterns: tuple[Pattern, ...]
    over: Mapping[Topic, re.Pattern[str]]
    request: re.Pattern[str]
    claimed: re.Pattern[str]
    startup: tuple[str, ...]
    failed_claim: str | None = None
    is_silent_when_idle: bool = False
    read: Callable[[LogLine], LogLine] = lambda line: line

    def recognise(self, message: str) -> Pattern | None:
        """The first pattern that the line matches; None if it matches none."""
        read = message[:READ_LIMIT]
        return next((pattern for pattern in self.patterns if pattern.words.search(read)), None)

    def ends(self, failure: str, topic: Topic, later: str) -> bool:
        """True if a later line shows that the failure is over."""
        if self.failed_claim is not None and failure.startswith(self.failed_claim):
            return self.claimed.search(later) is not None
        if topic is Topic.REQUESTS and self._route(failure) != self._route(later):
            return False  # one route may work while another does not
        return topic in self.over and self.over[topic].search(later) is not None

    def _route(self, line: str) -> tuple[str, ...] | None:
        """The method and the path, without its query."""
        found = self.request.search(line)
        return found.groups() if found else None


_REQUEST = r"^(?:GET|HEAD|POST) "
_WELL_ANSWERED = rf"{_REQUEST}(?!/api/live)\S+ 2\d\d\b"  # /api/live says nothing about the database
_DONE = re.compile(r"\] Job completed:")
_READ = re.compile(r"No pending jobs found|claimed job")

RUNBOOK = LogPatterns(
    patterns=(
        *_OF_POSTGRES,
        _pattern(Topic.CLAIMING, Sign.FAILURE, r"reap_jobs: job \S+ of a silent worker", Symptom.STALE_HEARTBEAT),
        _pattern(Topic.CLAIMING, Sign.FAILURE, r"\] (?:CRITICAL|Job failed):|update_job_status: job \S+ not written"),
        _pattern(Topic.REQUESTS, Sign.FAILURE, rf"{_REQUEST}\S+ 5\d\d\b", Symptom.API_503),
        _pattern(Topic.CLAIMING, Sign.IDLE, r"No pending jobs found"),
        _pattern(Topic.CONNECTIVITY, Sign.SUCCESS, r"PostgreSQL connection established|^Pool size: \d+"),
        _pattern(Topic.PERMISSIONS, Sign.SUCCESS, r"claim_pending_job: claimed job|update_job_status: job \S+ ->"),
        _pattern(Topic.CLAIMING, Sign.SUCCESS, r"\] (?:Claimed job|Processing batch|Job completed):"),
        _pattern(Topic.REQUESTS, Sign.SUCCESS, _WELL_ANSWERED),
    ),
    over={
        Topic.CRASH_LOOP: _DONE,
        Topic.PERMISSIONS: _DONE,
        Topic.CONNECTIVITY: re.compile(
            rf"PostgreSQL connection established|{_READ.pattern}|{_DONE.pattern}|{_WELL_ANSWERED}"
        ),
        Topic.CLAIMING: _DONE,
        Topic.REQUESTS: re.compile(_WELL_ANSWERED),
    },
    request=re.compile(r"^(\S+) ([^\s?]+)"),
    claimed=_READ,
    startup=("DRAGONFLY WORKER STARTING", "PostgreSQL connection established", "Entering main loop"),
    failed_claim="claim_pending_job:",
)

# "[a1b2c3d4] GET /path -> 200 (3ms)" of the API itself, '127.0.0.1:1 - "GET /path HTTP/1.1" 200 OK' of uvicorn.
_CIVIL_REQUEST = r"\b(GET|HEAD|POST|PUT|PATCH|DELETE) (/[^\s?\"]*)"
_CIVIL_STATUS = r"\S*(?: ->| HTTP/[\d.]+\")"
# The first fail on a healthy system; the second succeed on one without a database.
_UNTRUSTED = r"(?! /api/(?:ready|health/system|health/jobs|metrics|v1/system/status)\b)"
_LIFE_ONLY = r"(?! (?:/api)?/(?:health|health/live|version|v1/intake/health)(?:[\s?\"]))"
_METHOD = r"\b(?:GET|HEAD|POST|PUT|PATCH|DELETE)"
_CIVIL_WELL_ANSWERED = rf"{_METHOD}{_UNTRUSTED}{_LIFE_ONLY} /{_CIVIL_STATUS} 2\d\d\b"
_CIVIL_DONE = re.compile(r"\bJob \S+ \(\w+\) completed successfully")
_CIVIL_CLAIMED = re.compile(r"Job claimed via RPC: ")
_CIVIL_CONNECTED = r"Database connection established|DB smoke test passed|Worker status: degraded → running"
_STORED = re.compile(r"\bInserted [1-9]\d*/\d+ ")

CIVIL = LogPatterns(
    patterns=(
        *_OF_POSTGRES,
        _pattern(Topic.STORING, Sign.FAILURE, r"\bInserted 0/[1-9]\d* ", Symptom.NOTHING_STORED),
        _pattern(Topic.STORING, Sign.FAILURE, r"^Failed to upsert case\b", Symptom.NOTHING_STORED),
        _pattern(
            Topic.CLAIMING,
            Sign.FAILURE,
            r"\bJob \S+ \(\w+\) failed \(attempt \d+\)|moved to DLQ after \d+ attempts",
        ),
        _pattern(Topic.REQUESTS, Sign.FAILURE, rf"{_METHOD}{_UNTRUSTED} /{_CIVIL_STATUS} 5\d\d\b", Symptom.API_503),
        _pattern(Topic.CONNECTIVITY, Sign.SUCCESS, _CIVIL_CONNECTED),
        _pattern(Topic.PERMISSIONS, Sign.SUCCESS, _CIVIL_CLAIMED.pattern),
        _pattern(Topic.CLAIMING, Sign.SUCCESS, _CIVIL_DONE.pattern),
        _pattern(Topic.STORING, Sign.SUCCESS, _STORED.pattern),
        _pattern(Topic.REQUESTS, Sign.SUCCESS, _CIVIL_WELL_ANSWERED),
    ),
    over={
        Topic.CRASH_LOOP: _CIVIL_DONE,
        Topic.PERMISSIONS: _CIVIL_DONE,
        Topic.CONNECTIVITY: re.compile(
            "|".join((_CIVIL_CONNECTED, _CIVIL_CLAIMED.pattern, _CIVIL_DONE.pattern, _CIVIL_WELL_ANSWERED))
        ),
        Topic.CLAIMING: _CIVIL_DONE,
        Topic.STORING: _STORED,
        Topic.REQUESTS: re.compile(_CIVIL_WELL_ANSWERED),
    },
    request=re.compile(_CIVIL_REQUEST),
    claimed=_CIVIL_CLAIMED,
    startup=("DRAGONFLY WORKER:", "Database connection established", "DB smoke test passed"),
    is_silent_when_idle=True,
    read=read_line,
)
PATTERNS_BY_NAME: Mapping[str, LogPatterns] = {"runbook": RUNBOOK, "civil": CIVIL}
