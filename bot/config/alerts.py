"""The alert configuration: thresholds, severities, and the names of alerts as people type them; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.domain.alerts import Severity, is_meant
from services.domain.services import DECLARED, Service, find_service

Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]
Some = Annotated[float, Field(gt=0, le=1_000_000)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Rule(_Table):
    """The result of every rule."""

    severity: Severity
    wait_s: Seconds
    section: str = Field(max_length=100)

    @property
    def wait(self) -> timedelta:
        return timedelta(seconds=self.wait_s)


class Workers(Rule):
    stuck_after_s: Some
    slow_start_after_s: Some


class Restarts(Rule):
    window_s: Some
    starts_per_replica: Some


class SlowApi(Rule):
    slower_than_ms: Some


class Backlog(Rule):
    warn_after_s: Some
    page_after_s: Some


class Counted(Rule):
    at_least: Some


class FailureRate(Counted):
    share: Annotated[float, Field(gt=0, le=1)]
    times: Some


class Contention(Rule):
    longer_than_s: Some


class Memory(Rule):
    within_s: Some
    from_share: Annotated[float, Field(gt=0, le=1)]


class Connections(Rule):
    share: Annotated[float, Field(gt=0, le=1)]


class Deployments(Rule):
    failed_wait_s: Seconds

    @property
    def failed_wait(self) -> timedelta:
        return timedelta(seconds=self.failed_wait_s)


class Locks(Rule):
    after_s: Some


class Rules(_Table):
    """One a rule; its name is the beginning of what `why` and `silence` take."""

    heartbeats: Rule
    workers: Workers
    restarts: Restarts
    crash_loop: Rule
    api: Rule
    slow_api: SlowApi
    intake: Rule
    database: Rule
    writes: Rule
    visibility: Rule
    backlog: Backlog
    failed_jobs: Counted
    failure_rate: FailureRate
    exhausted: Counted
    orphaned: Rule
    contention: Contention
    # Files of a former version don't have these two.
    system: Rule = Rule(severity=Severity.PAGE, wait_s=60, section="Variable Validation")
    unclaimed: Rule = Rule(severity=Severity.NOTIFY, wait_s=300, section="Log Queries (SQL)")
    memory: Memory = Memory(severity=Severity.NOTIFY, wait_s=0, section="Troubleshooting", within_s=480, from_share=0.7)
    connections: Connections = Connections(severity=Severity.NOTIFY, wait_s=0, section="DB Connectivity", share=0.9)
    deployments: Deployments
    sha: Rule
    migrations: Rule
    grants: Rule
    locks: Locks
    freezes: Rule
    blindness: Rule
    oncall: Rule

    def section(self, name: str) -> str:
        """The runbook's section about a rule; empty for a name that this version does not know."""
        rule = getattr(self, name, None)
        return rule.section if isinstance(rule, Rule) else ""


class AnnouncementSettings(_Table):
    """How often, and how long after."""

    again_within_s: Seconds
    quiet_s: Seconds
    group_within_s: Seconds
    aftermath_s: Seconds
    run_patience_s: Seconds
    repeat_page_s: Some
    repeat_notify_s: Some
    edit_every_s: Seconds
    remind_s: Seconds

    def repeat_after(self, severity: Severity) -> timedelta:
        return timedelta(seconds=self.repeat_page_s if severity is Severity.PAGE else self.repeat_notify_s)


class AlertRules(_Table):
    """The whole file. `runbook`: its address, empty when it is not configured."""

    version: Literal[1]
    runbook: str = Field(max_length=500, pattern=r"^(https?://\S+)?$")
    telling: AnnouncementSettings
    rules: Rules


_SERVICES = tuple(service.short for service in DECLARED)
_WORKERS = tuple(service.short for service in DECLARED if service.worker_type is not None)

# The subjects of the rules that have several. A test compares them with what the rules say.
SUBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "heartbeats": _WORKERS,
        "workers": _WORKERS,
        "restarts": _WORKERS,
        "crash_loop": _SERVICES,
        "memory": _SERVICES,
        "visibility": ("schemas", "rows", "answers"),
        "deployments": _SERVICES,
        "sha": (*_SERVICES, "same"),
        "grants": (
            "grants",
            "functions",
            "policies",
            "rls",
            "definer",
            "public_schema",
            "defaults",
            "views",
            "roles",
            "logins",
            "audit",
        ),
        "locks": _SERVICES,
        "freezes": _SERVICES,
        "blindness": ("railway", "slack"),
    }
)

FINGERPRINTS = tuple(
    f"{rule}.{subject}" if subject else rule for rule in Rules.model_fields for subject in SUBJECTS.get(rule, ("",))
)


def find_what(word: str) -> str | None:
    """What a word means, in the form that `Silence.what` has; None for no name of an alert."""
    name = word.strip().lower().replace("-", "_")
    service = find_service(word)
    if service is not None:
        return service.short
    return name if name in FINGERPRINTS or name in Rules.model_fields else None


def nearest(word: str, services: Collection[Service]) -> str | None:
    """The name that was probably meant, of these services, a rule or an alert; None when there is none near."""
    about = (name for name in FINGERPRINTS if service_of(name) is None or service_of(name) in services)
    names = [*(service.short for service in services), *Rules.model_fields, *about]
    meant = get_close_matches(word.strip().lower(), names, n=1, cutoff=0.6)
    return meant[0] if meant else None


def service_of(what: str) -> Service | None:
    """The service that is meant alone; None when it is about none, or about several."""
    return find_service(what.rsplit(".", maxsplit=1)[-1])


def covered(what: str) -> list[str]:
    """The fingerprints that are meant."""
    return [name for name in FINGERPRINTS if is_meant(what, name, service_of(name))]
