"""The bot's environment, read once, in groups: what is missing disables the commands that need it and nothing else.

A group that is missing or malformed becomes `Invalid` with every fault it has, so that one look tells all. An empty
value counts as not set, because Railway keeps emptied variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from bot.settings.groups import (
    AlertSettings,
    ApiSettings,
    ChangeSettings,
    DatabaseSettings,
    Group,
    HookSettings,
    IdentitySettings,
    LeaseSettings,
    OnCallSettings,
    PeopleSettings,
    RailwaySettings,
    SlackSettings,
    WebSettings,
)
from bot.settings.outage import OutageSettings
from bot.settings.paging import EMAIL, ROUTING_KEY, WEBHOOK_URL, MailSettings, MonitorSettings, PagerSettings
from bot.settings.runs import RunSettings
from bot.settings.watching import WatchSettings
from services.domain.errors import OperatorError


@dataclass(frozen=True)
class Fault:
    """One variable that is missing or malformed. `problem` never holds its value."""

    variable: str
    problem: str
    what_next: str

    def __str__(self) -> str:
        return f"{self.variable} {self.problem}: {self.what_next}"


@dataclass(frozen=True)
class Invalid:
    """A group that cannot be used, with everything that is wrong with it."""

    group: str
    faults: tuple[Fault, ...]

    @property
    def why(self) -> str:
        """One clause for people: "SUPABASE_DB_URL is not set"."""
        return ", ".join(f"{fault.variable} {fault.problem}" for fault in self.faults)


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
    leases: LeaseSettings = field(default_factory=LeaseSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    outage: OutageSettings = field(default_factory=OutageSettings)
    watching: WatchSettings = field(default_factory=WatchSettings)
    source_timeout_s: float = 5.0  # each source of facts answers within this or is unknown

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read every group; never raises."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        return cls(
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
        )

    @property
    def invalid(self) -> tuple[Invalid, ...]:
        """The groups that cannot be used."""
        groups = (self.slack, self.database, self.railway, self.api)
        more = (self.alerts, self.changes, self.people, self.oncall, self.identity, self.web)
        paging = (self.pager, self.mail, self.monitor, self.hooks)
        return tuple(group for group in (*groups, *more, *paging) if isinstance(group, Invalid))

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for group in self.invalid for fault in group.faults)

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
            what_next=" ".join(f"{fault.variable}: {fault.what_next}." for fault in group.faults),
        )
    return group


def _read(name: str, kind: type[GroupT], given: Mapping[str, str]) -> GroupT | Invalid:
    try:
        return kind.model_validate(dict(given))
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_input=False)
        return Invalid(name, tuple(_to_fault(_variable(kind, error["loc"]), error) for error in found))


def _variable(kind: type[Group], place: tuple[int | str, ...]) -> str:
    """The variable an error is about: pydantic names a default that fails by its field, one of several by the last."""
    name = [str(part) for part in place if isinstance(part, str)][-1]
    known = kind.model_fields.get(name)
    return str(known.validation_alias if known else name)


def _to_fault(variable: str, error: Any) -> Fault:
    """A pydantic error as a fault; its own words are used only where no value can be in them."""
    match error["type"]:
        case "missing":
            problem = "is not set"
        case "value_error":
            problem = str(error["ctx"]["error"])
        case "literal_error":
            problem = f"is not {error['ctx']['expected']}"
        case _:
            problem = "is not a number in range"
    return Fault(variable, problem, _what_next(variable))


def _what_next(variable: str) -> str:
    """Of a target's variable the part before its name counts."""
    known = next((prefix for prefix in (WEBHOOK_URL, ROUTING_KEY, EMAIL) if variable.startswith(prefix)), variable)
    return _WHAT_NEXT.get(known, "set it as the README says")


_WHAT_NEXT = {
    "SLACK_BOT_TOKEN": "copy the Bot User OAuth Token of the app's page OAuth & Permissions",
    "SLACK_APP_TOKEN": "make an app-level token with connections:write on the app's page Basic Information",
    "SLACK_SIGNING_SECRET": "set SLACK_APP_TOKEN for Socket Mode, or the signing secret for HTTP mode",
    "SLACK_API_URL": "remove it to use Slack's own",
    "SUPABASE_DB_URL": "copy the pooler's connection string for role dragonfly_bot from Supabase",
    "DRAGONFLY_ADMIN_DB_URL": "copy the pooler's connection string of the owner from Supabase, or remove it",
    "RAILWAY_TOKEN": "make a project token in Railway's project settings",
    "RAILWAY_PROJECT_ID": "copy it from Railway's project settings",
    "RAILWAY_ENVIRONMENT_ID": "copy it from the address of the environment's page in Railway",
    "RAILWAY_API_URL": "remove it to use Railway's own",
    "DRAGONFLY_API_BASE": "set the API's public address, such as https://….up.railway.app",
    "HEARTBEAT_STALE_AFTER_S": "set seconds, such as 300, or remove it",
    "SOAK_SECONDS": "set seconds from 1 to 3600, such as 120, or remove it",
    "ALONE_AFTER_SECONDS": "set seconds from 1 to 3600, such as 180, or remove it",
    "ALONE_COUNTDOWN_SECONDS": "set seconds from 1 to 3600, such as 60, or remove it",
    "DATABASE_CONNECTION_LIMIT": "set how many clients the pooler takes, as Supabase's settings say, or remove it",
    "DRAGONFLY_SQL": "name a folder that has migrations/ and rollbacks/, or remove it",
    "DRAGONFLY_OPERATORS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "DRAGONFLY_APPROVERS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "ENVIRONMENT": "set dev, staging or prod",
    "SUPABASE_MODE": "set dev, staging or prod, the same as ENVIRONMENT",
    "PORT": "set a port number, or remove it",
    WEBHOOK_URL: "set the https address that your pager gives you, or remove it",
    ROUTING_KEY: "copy the integration key of an Events API v2 integration from PagerDuty, or remove it",
    EMAIL: "set one e-mail address, or remove it",
    "SMTP_URL": "set smtp://user:password@host:587, or smtps://…:465",
    "SMTP_CA_FILE": "name a PEM file with the authority of your mail server's certificate, or remove it",
    "SMTP_FROM": "set the address that the mail server lets you send from",
    "RAILWAY_WEBHOOK_SECRET": "make one with `openssl rand -hex 24`, or remove it",
    "DEAD_MANS_SWITCH_URL": "set the address that your monitor gives you, or remove it",
}
