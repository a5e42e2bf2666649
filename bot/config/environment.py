"""The bot's environment variables, read once: a missing group disables only the commands that need it.

A missing or malformed group becomes `Invalid` with every fault it has, so that one answer names all. An empty value
counts as not set, because Railway keeps emptied variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import (
    ValidationError,
)

from bot.config.behavior import (
    AlertSettings,
    ChangeSettings,
    IdentitySettings,
    LogSettings,
    PeopleSettings,
    PrivacySettings,
    ReportSettings,
    SystemSettings,
    TraceSettings,
    WebSettings,
)
from bot.config.connections import (
    SIGN_AFTER_S,
    ApiSettings,
    AssistantSettings,
    DatabaseSettings,
    GitHubSettings,
    HookSettings,
    RailwaySettings,
    SlackSettings,
    SupabaseSettings,
)
from bot.config.fields import Fault, Group, Invalid, find_faults
from bot.config.paging import (
    CalendarSettings,
    MailSettings,
    MonitorSettings,
    OnCallSettings,
    PagerSettings,
)
from bot.config.timing import EvaluatorSettings, LeaseSettings, OutageSettings, RunSettings
from services.domain.errors import OperatorError
from services.domain.message_origin import COMMAND, remember_command
from services.domain.privacy import Privacy
from services.domain.secrets import Secret, remember_secrets
from services.domain.thresholds import StaleLimits


@dataclass(frozen=True)
class Settings:
    """All groups of settings. Only `slack` is needed to start."""

    slack: SlackSettings | Invalid
    database: DatabaseSettings | Invalid
    railway: RailwaySettings | Invalid
    api: ApiSettings | Invalid
    alerts: AlertSettings | Invalid
    changes: ChangeSettings | Invalid
    people: PeopleSettings | Invalid
    oncall: OnCallSettings | Invalid
    identity: IdentitySettings | Invalid
    web: WebSettings | Invalid
    pager: PagerSettings | Invalid
    mail: MailSettings | Invalid
    monitor: MonitorSettings | Invalid
    hooks: HookSettings | Invalid
    privacy: PrivacySettings | Invalid = field(default_factory=PrivacySettings)
    log: LogSettings | Invalid = field(default_factory=LogSettings)
    traces: TraceSettings | Invalid = field(default_factory=TraceSettings)
    assistant: AssistantSettings | Invalid = field(default_factory=AssistantSettings)
    reports: ReportSettings | Invalid = field(default_factory=ReportSettings)
    github: GitHubSettings | Invalid = field(default_factory=GitHubSettings)
    supabase: SupabaseSettings | Invalid = field(default_factory=SupabaseSettings)
    system: SystemSettings | Invalid = field(default_factory=SystemSettings)
    calendars: CalendarSettings | Invalid = field(default_factory=CalendarSettings)
    leases: LeaseSettings = field(default_factory=LeaseSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    outage: OutageSettings = field(default_factory=OutageSettings)
    evaluator: EvaluatorSettings = field(default_factory=EvaluatorSettings)
    source_timeout_s: float = 5.0  # a source of facts that takes longer is unknown

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read every group; never raises."""
        given = _without_blanks(environ)
        groups: dict[str, Any] = {name: _read(name, kind, given) for name, kind in _kinds().items()}
        settings = cls(**groups)
        remember_secrets("bot", settings.secrets)
        remember_command(COMMAND if isinstance(settings.slack, Invalid) else settings.slack.command)
        return settings

    @property
    def invalid(self) -> tuple[Invalid, ...]:
        """The groups that cannot be used."""
        groups = (getattr(self, one.name) for one in fields(self))
        return tuple(group for group in groups if isinstance(group, Invalid))

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for group in self.invalid for fault in group.faults)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret in the usable groups."""
        values = (value for group in self._usable for _, value in group)
        return tuple(_secrets_in(list(values)))

    @property
    def _usable(self) -> tuple[Group, ...]:
        groups = (getattr(self, one.name) for one in fields(self))
        return tuple(group for group in groups if isinstance(group, Group))

    @property
    def environment(self) -> str | None:
        """One of `services.domain.environments`; None if the variables are missing or malformed."""
        return None if isinstance(self.identity, Invalid) else self.identity.environment

    @property
    def sign_after_s(self) -> float:
        """Seconds without an answer after which a command shows that it is being processed."""
        return SIGN_AFTER_S if isinstance(self.slack, Invalid) else self.slack.sign_after_s

    @property
    def own_service(self) -> str | None:
        """The bot's own name in Railway; None elsewhere."""
        return None if isinstance(self.identity, Invalid) else self.identity.railway_service

    @property
    def operated(self) -> SystemSettings:
        """The settings of the operated system; if a variable is malformed the defaults (the system in the database)."""
        return SystemSettings() if isinstance(self.system, Invalid) else self.system

    @property
    def git_sha(self) -> str | None:
        """The commit that this process runs; None if Railway did not report it."""
        return None if isinstance(self.identity, Invalid) else self.identity.git_sha

    @property
    def outside_targets(self) -> int:
        """The number of targets outside Slack."""
        return sum(len(group.targets) for group in (self.pager, self.mail) if not isinstance(group, Invalid))

    @property
    def log_privacy(self) -> Privacy:
        """The masking of requested lines for their requester; strict if the variable is malformed."""
        return Privacy.STRICT if isinstance(self.privacy, Invalid) else Privacy(self.privacy.log_privacy)

    @property
    def keep_run_steps(self) -> timedelta | None:
        """The time for which steps are kept after their run's end; None (forever), also if a variable is malformed."""
        days = None if isinstance(self.changes, Invalid) else self.changes.run_steps_keep_days
        return None if days is None else timedelta(days=days)

    @property
    def stale_after(self) -> StaleLimits:
        """The ages past which a heartbeat is stale; the defaults if a variable is malformed."""
        return (AlertSettings() if isinstance(self.alerts, Invalid) else self.alerts).stale_after

    @property
    def changing(self) -> ChangeSettings:
        """The settings of changes; the defaults if a variable is malformed."""
        return ChangeSettings() if isinstance(self.changes, Invalid) else self.changes


def read_log_format(environ: Mapping[str, str]) -> Literal["plain", "json"]:
    """The log format, read before all other settings; plain if the variable is malformed."""
    group = _read("log", LogSettings, _without_blanks(environ))
    return "plain" if isinstance(group, Invalid) else group.log_format


GroupT = TypeVar("GroupT", bound=Group)


def require(group: GroupT | Invalid) -> GroupT:
    """Return the group, or raise an OperatorError that lists all its faults."""
    if isinstance(group, Invalid):
        raise OperatorError(
            f"The {group.group} settings cannot be used",
            why=group.why,
            what_next=" ".join(f"{fault.variable}: {fault.what_next}." for fault in group.faults)
            + " `check-config` shows whether it is fixed.",
        )
    return group


def _secrets_in(value: object) -> Iterator[Secret]:
    """All secrets in a setting, at any depth: pagers are a mapping of pagers."""
    match value:
        case Secret():
            yield value
        case Mapping():
            yield from _secrets_in(list(value.values()))
        case list() | tuple():
            for one in value:
                yield from _secrets_in(one)
        case _ if is_dataclass(value):
            yield from _secrets_in([getattr(value, one.name) for one in fields(value)])


def _without_blanks(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in environ.items() if value.strip()}


@cache
def _kinds() -> Mapping[str, type[Group]]:
    """`{name: group}` of the settings that are read from variables, and so may be invalid."""
    hints = get_type_hints(Settings)
    return {name: kind for name, hint in hints.items() for kind in get_args(hint) if kind is not Invalid}


def _read(name: str, kind: type[GroupT], given: Mapping[str, str]) -> GroupT | Invalid:
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        return Invalid(name, find_faults(kind, error))
