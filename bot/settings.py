"""The bot's environment, read once, in groups: what is missing disables the commands that need it and nothing else.

Names are fixed (DESIGN §9). A group that is missing or malformed becomes `Invalid` with every fault it has, so that one
look tells all. An empty value counts as not set, because Railway keeps emptied variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.domain.errors import OperatorError
from services.domain.secrets import Secret, TokenKind

Environment = Literal["dev", "staging", "prod"]

_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}\Z")


def _to_secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


def _to_list(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _check_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("is not an http or https address")
    return value


SecretValue = Annotated[Secret, BeforeValidator(_to_secret)]
Secrets = Annotated[tuple[SecretValue, ...], BeforeValidator(_to_list)]
Ids = Annotated[tuple[str, ...], BeforeValidator(_to_list)]
Url = Annotated[str, BeforeValidator(lambda value: _check_url(value) if isinstance(value, str) else value)]


class _Group(BaseModel):
    """A frozen part of the environment. `hide_input_in_errors`: a malformed secret must not end in a traceback."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", hide_input_in_errors=True)


class SlackSettings(_Group):
    """Socket Mode when `app_token` is set, else HTTP mode. Two signing secrets are accepted during a rotation."""

    bot_token: SecretValue = Field(validation_alias="SLACK_BOT_TOKEN")
    app_token: SecretValue | None = Field(None, validation_alias="SLACK_APP_TOKEN")
    signing_secrets: Secrets = Field((), validation_alias="SLACK_SIGNING_SECRET", validate_default=True)
    api_url: Url = Field("https://slack.com/api/", validation_alias="SLACK_API_URL")
    incidents_channel: str = Field("dragonfly-incidents", validation_alias="SLACK_INCIDENTS_CHANNEL")

    @field_validator("bot_token")
    @classmethod
    def _check_bot_token(cls, value: Secret) -> Secret:
        return _with_prefix(value, "xoxb-")

    @field_validator("app_token")
    @classmethod
    def _check_app_token(cls, value: Secret | None) -> Secret | None:
        return value and _with_prefix(value, "xapp-")

    @field_validator("signing_secrets")
    @classmethod
    def _check_one_way_in(cls, value: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        if not value and "app_token" in info.data and info.data["app_token"] is None:
            raise ValueError("is not set, and neither is SLACK_APP_TOKEN")
        return value

    @field_validator("api_url")
    @classmethod
    def _end_with_slash(cls, value: str) -> str:
        return value.rstrip("/") + "/"  # slack_sdk joins it with the method's name

    @field_validator("incidents_channel")
    @classmethod
    def _drop_hash(cls, value: str) -> str:
        return value.removeprefix("#")

    @property
    def uses_socket_mode(self) -> bool:
        return self.app_token is not None


class DatabaseSettings(_Group):
    """`admin_url` is for migrations and the runbook's own SQL; without it `url` is used for those too."""

    url: SecretValue = Field(validation_alias="SUPABASE_DB_URL")
    admin_url: SecretValue | None = Field(None, validation_alias="DRAGONFLY_ADMIN_DB_URL")

    @field_validator("url", "admin_url")
    @classmethod
    def _check_scheme(cls, value: Secret | None) -> Secret | None:
        if value and not value.reveal().startswith(("postgresql://", "postgres://")):
            raise ValueError("does not start with postgresql://")
        return value


class RailwaySettings(_Group):
    """One token is needed: a project token (`RAILWAY_TOKEN`, preferred) or a bearer token (`RAILWAY_API_TOKEN`)."""

    token: SecretValue = Field(validation_alias=AliasChoices("RAILWAY_TOKEN", "RAILWAY_API_TOKEN"))
    token_kind: TokenKind = TokenKind.PROJECT
    project_id: str = Field(validation_alias="RAILWAY_PROJECT_ID")
    environment_id: str = Field(validation_alias="RAILWAY_ENVIRONMENT_ID")
    api_url: Url = Field("https://backboard.railway.com/graphql/v2", validation_alias="RAILWAY_API_URL")

    @model_validator(mode="before")
    @classmethod
    def _tell_kind(cls, data: dict[str, Any]) -> dict[str, Any]:
        bearer = "RAILWAY_API_TOKEN" in data and "RAILWAY_TOKEN" not in data
        return {"token_kind": TokenKind.BEARER if bearer else TokenKind.PROJECT, **data}


class ApiSettings(_Group):
    """Our own API, and the key for its uploads."""

    base: Url = Field(validation_alias="DRAGONFLY_API_BASE")
    api_key: SecretValue | None = Field(None, validation_alias="DRAGONFLY_API_KEY")


class AlertSettings(_Group):
    """When a heartbeat is too old."""

    stale_after_s: float = Field(300.0, validation_alias="HEARTBEAT_STALE_AFTER_S", gt=0, le=86_400)

    @property
    def stale_after(self) -> timedelta:
        return timedelta(seconds=self.stale_after_s)


class PeopleSettings(_Group):
    """Slack user or user-group ids. Empty means nobody."""

    operators: Ids = Field((), validation_alias="DRAGONFLY_OPERATORS")
    approvers: Ids = Field((), validation_alias="DRAGONFLY_APPROVERS")

    @field_validator("operators", "approvers")
    @classmethod
    def _check_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = sum(_SLACK_ID.match(part) is None for part in value)
        if wrong:
            raise ValueError(f"holds {wrong} of {len(value)} entries that are no Slack id")
        return value


class IdentitySettings(_Group):
    """Which environment this bot belongs to, and which commit it runs."""

    environment: Environment = Field(validation_alias="ENVIRONMENT")
    supabase_mode: Environment = Field(validation_alias="SUPABASE_MODE")
    git_sha: str | None = Field(None, validation_alias="RAILWAY_GIT_COMMIT_SHA")


class WebSettings(_Group):
    """Where /healthz, /metrics and /slack/events listen. Port 0: the system picks one."""

    port: int = Field(8080, validation_alias="PORT", ge=0, le=65_535)


@dataclass(frozen=True)
class LeaseSettings:
    """How leadership moves: a lease lasts `duration`, is renewed every `renew_every`, and is asked for as often.

    A successor takes over at most `duration + renew_every` after a leader died: 13.5 s, below the 15 s we promise.
    """

    duration: timedelta = timedelta(seconds=10)
    renew_every: timedelta = timedelta(seconds=3.5)


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
    people: PeopleSettings | Invalid
    identity: IdentitySettings | Invalid
    web: WebSettings | Invalid
    leases: LeaseSettings = field(default_factory=LeaseSettings)
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
            people=_read("people", PeopleSettings, given),
            identity=_read("identity", IdentitySettings, given),
            web=_read("web", WebSettings, given),
        )

    @property
    def invalid(self) -> tuple[Invalid, ...]:
        """The groups that cannot be used."""
        groups = (self.slack, self.database, self.railway, self.api)
        more = (self.alerts, self.people, self.identity, self.web)
        return tuple(group for group in (*groups, *more) if isinstance(group, Invalid))

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
    def stale_after(self) -> timedelta:
        """The age at which a heartbeat counts as stale; the default when the variable is malformed."""
        return (AlertSettings() if isinstance(self.alerts, Invalid) else self.alerts).stale_after


GroupT = TypeVar("GroupT", bound=_Group)


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
        return Invalid(name, tuple(_to_fault(_variable(kind, error["loc"][0]), error) for error in found))


def _variable(kind: type[_Group], name: object) -> str:
    """The variable an error is about: pydantic names a default that fails by its field."""
    known = kind.model_fields.get(str(name))
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
    return Fault(variable, problem, _WHAT_NEXT.get(variable, "set it as the README says"))


def _with_prefix(value: Secret, prefix: str) -> Secret:
    if not value.reveal().startswith(prefix):
        raise ValueError(f"does not start with {prefix}")
    return value


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
    "DRAGONFLY_OPERATORS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "DRAGONFLY_APPROVERS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "ENVIRONMENT": "set dev, staging or prod",
    "SUPABASE_MODE": "set dev, staging or prod, the same as ENVIRONMENT",
    "PORT": "set a port number, or remove it",
}
