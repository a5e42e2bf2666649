"""The alert rules that `alerts.toml` declares, and the names of alerts as people type them."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.domain.alerts import Severity, is_meant
from services.domain.services import DECLARED, Service, find_service

Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]
Some = Annotated[float, Field(gt=0, le=1_000_000)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Rule(_Table):
    """The settings that every rule has; any other key is a limit of this rule.

    subjects: the services, workers or parts that the rule checks one by one ("services" and "workers" stand for each of
    them). over: the text when the alert ends; `{title}` is the title of its check, which is fine by then. buttons:
    (label, command). The release decides these three: a file that overrides them changes nothing.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Some]

    severity: Severity
    wait_s: Seconds
    section: str = Field(max_length=100)
    subjects: tuple[str, ...] = Field(default=(), exclude=True)
    over: str = Field(default="{title}", exclude=True)
    buttons: tuple[tuple[str, str], ...] = Field(default=(), exclude=True)

    @property
    def wait(self) -> timedelta:
        return timedelta(seconds=self.wait_s)

    def limit(self, name: str) -> float:
        """A limit that no subclass declares as a field."""
        return self.__pydantic_extra__[name]


class Workers(Rule):
    stuck_after_s: Some
    slow_start_after_s: Some


class Restarts(Rule):
    window_s: Some
    starts_per_replica: Some


class Backlog(Rule):
    warn_after_s: Some
    page_after_s: Some


class Counted(Rule):
    at_least: Some


class FailureRate(Counted):
    share: Annotated[float, Field(gt=0, le=1)]
    times: Some


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


class Rules(_Table):
    """All rules by name; the name starts the names that `why` and `silence` accept. The declared fields are rules with
    limits that code reads by name or that have bounds of their own."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Rule]

    workers: Workers
    restarts: Restarts
    backlog: Backlog
    failed_jobs: Counted
    failure_rate: FailureRate
    exhausted: Counted
    memory: Memory
    connections: Connections
    deployments: Deployments

    def __getitem__(self, name: str) -> Rule:
        rule = self.find(name)
        if rule is None:
            raise KeyError(name)
        return rule

    def find(self, name: str) -> Rule | None:
        """The rule of this name; None for a name that this version does not know."""
        declared: Rule | None = vars(self).get(name)
        return declared or self.__pydantic_extra__.get(name)

    def section(self, name: str) -> str:
        """The runbook's section about a rule; empty for a name that this version does not know."""
        rule = self.find(name)
        return rule.section if rule else ""


class AnnouncementSettings(_Table):
    """The limits and delays, in seconds, of announcing, repeating and editing alerts."""

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
    """The whole file. `runbook`: its address, empty if it is not configured."""

    version: Literal[1]
    runbook: str = Field(max_length=500, pattern=r"^(https?://\S+)?$")
    telling: AnnouncementSettings
    rules: Rules


FILE = Path(__file__).with_name("alerts.toml")
DECLARED_RULES: Mapping[str, Any] = MappingProxyType(tomllib.loads(FILE.read_text(encoding="utf-8")))
DEFAULT = AlertRules.model_validate(dict(DECLARED_RULES))
RULES = tuple(DECLARED_RULES["rules"])

_GROUPS = {
    "services": tuple(service.short for service in DECLARED),
    "workers": tuple(service.short for service in DECLARED if service.worker_type is not None),
}

# The subjects of the rules that have several. A test compares them with the rules' results.
SUBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(subject for word in rule.subjects for subject in _GROUPS.get(word, (word,)))
        for name, rule in DEFAULT.rules
        if rule.subjects
    }
)

FINGERPRINTS = tuple(
    f"{rule}.{subject}" if subject else rule for rule in RULES for subject in SUBJECTS.get(rule, ("",))
)


def find_what(word: str) -> str | None:
    """The name that a word means, in the form of `Silence.what`; None if it names no alert."""
    name = word.strip().lower().replace("-", "_")
    service = find_service(word)
    if service is not None:
        return service.short
    return name if name in FINGERPRINTS or name in RULES else None


def nearest(word: str, services: Collection[Service]) -> str | None:
    """The most similar name among these services, the rules and the alerts; None if none is similar."""
    about = (name for name in FINGERPRINTS if service_of(name) is None or service_of(name) in services)
    names = [*(service.short for service in services), *RULES, *about]
    meant = get_close_matches(word.strip().lower(), names, n=1, cutoff=0.6)
    return meant[0] if meant else None


def service_of(what: str) -> Service | None:
    """The single service that a name is about; None if it is about none, or about several."""
    return find_service(what.rsplit(".", maxsplit=1)[-1])


def covered(what: str) -> list[str]:
    """The fingerprints that a name covers."""
    return [name for name in FINGERPRINTS if is_meant(what, name, service_of(name))]
