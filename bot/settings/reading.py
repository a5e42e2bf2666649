"""The bot's environment, read once, in groups: what is missing disables the commands that need it and nothing else.

A group that is missing or malformed becomes `Invalid` with every fault it has, so that one look tells all. An empty
value counts as not set, because Railway keeps emptied variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from typing import TypeVar

from pydantic import ValidationError

from bot.settings.faults import Fault, Invalid, find_faults
from bot.settings.groups import (
    AlertSettings,
    ApiSettings,
    ChangeSettings,
    DatabaseSettings,
    HookSettings,
    IdentitySettings,
    OnCallSettings,
    PeopleSettings,
    PrivacySettings,
    RailwaySettings,
    SlackSettings,
    WebSettings,
)
from bot.settings.leases import LeaseSettings
from bot.settings.outage import OutageSettings
from bot.settings.paging import MailSettings, MonitorSettings, PagerSettings
from bot.settings.runs import RunSettings
from bot.settings.values import Group
from bot.settings.watching import WatchSettings
from services.domain.errors import OperatorError
from services.domain.own_secrets import remember_secrets
from services.domain.privacy import Privacy
from services.domain.secrets import Secret


@dataclass(frozen=True)
class Settings:
    """All groups. Only `slack` is needed to start."""

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
    leases: LeaseSettings = field(default_factory=LeaseSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    outage: OutageSettings = field(default_factory=OutageSettings)
    watching: WatchSettings = field(default_factory=WatchSettings)
    source_timeout_s: float = 5.0  # each source of facts answers within this or is unknown

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read every group; never raises."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        settings = cls(
            slack=_read("slack", SlackSettings, given),
            database=_read("database", DatabaseSettings, given),
            railway=_read("railway", RailwaySettings, given),
            api=_read("api", ApiSettings, given),
            alerts=_read("alerts", AlertSettings, given),
            changes=_read("changes", ChangeSettings, given),
            people=_read("people", PeopleSettings, given),
            oncall=_read("oncall", OnCallSettings, given),
            identity=_read("identity", IdentitySettings, given),
            web=_read("web", WebSettings, given),
            pager=_read("pager", PagerSettings, given),
            mail=_read("mail", MailSettings, given),
            monitor=_read("monitor", MonitorSettings, given),
            hooks=_read("hooks", HookSettings, given),
            privacy=_read("privacy", PrivacySettings, given),
        )
        remember_secrets("bot", settings.secrets)
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
        """Every secret of the environment that can be used."""
        values = (value for group in self._usable for _, value in group)
        return tuple(_secrets_in(list(values)))

    @property
    def _usable(self) -> tuple[Group, ...]:
        groups = (getattr(self, one.name) for one in fields(self))
        return tuple(group for group in groups if isinstance(group, Group))

    @property
    def environment(self) -> str | None:
        """`dev`, `staging` or `prod`; None when the variables are missing or malformed."""
        return None if isinstance(self.identity, Invalid) else self.identity.environment

    @property
    def git_sha(self) -> str | None:
        """The commit this process runs; None when Railway did not tell."""
        return None if isinstance(self.identity, Invalid) else self.identity.git_sha

    @property
    def phones(self) -> int:
        """How many targets outside Slack there are."""
        return sum(len(group.targets) for group in (self.pager, self.mail) if not isinstance(group, Invalid))

    @property
    def log_privacy(self) -> Privacy:
        """What somebody sees of the lines that they asked for; strict when the variable is malformed."""
        return Privacy.STRICT if isinstance(self.privacy, Invalid) else Privacy(self.privacy.log_privacy)

    @property
    def keep_run_steps(self) -> timedelta | None:
        """For how long after their run's end; None, also when a variable is malformed: for ever."""
        days = None if isinstance(self.changes, Invalid) else self.changes.run_steps_keep_days
        return None if days is None else timedelta(days=days)

    @property
    def stale_after(self) -> timedelta:
        """The age at which a heartbeat counts as stale; the default when the variable is malformed."""
        return (AlertSettings() if isinstance(self.alerts, Invalid) else self.alerts).stale_after

    @property
    def changing(self) -> ChangeSettings:
        """How changes go about their work; the defaults when a variable is malformed."""
        return ChangeSettings() if isinstance(self.changes, Invalid) else self.changes


GroupT = TypeVar("GroupT", bound=Group)


def require(group: GroupT | Invalid) -> GroupT:
    """The group, or an OperatorError that lists everything wrong with it."""
    if isinstance(group, Invalid):
        raise OperatorError(
            f"The {group.group} settings cannot be used",
            why=group.why,
            what_next=" ".join(f"{fault.variable}: {fault.what_next}." for fault in group.faults)
            + " `check-config` says whether it is mended.",
        )
    return group


def _secrets_in(value: object) -> Iterator[Secret]:
    """Those in a setting, however deep: pagers are a mapping of pagers."""
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


def _read(name: str, kind: type[GroupT], given: Mapping[str, str]) -> GroupT | Invalid:
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        return Invalid(name, find_faults(kind, error))
