"""The bot's environment variables, read once: a missing group disables only the commands that need it.

A group that is missing or malformed becomes `Invalid` with every fault it has, so that one look tells all. An empty
value counts as not set, because Railway keeps emptied variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.config.fields import (
    CALENDAR_URL,
    CalendarUrl,
    EnvironmentName,
    Fault,
    Group,
    Ids,
    Invalid,
    MailSettings,
    MonitorSettings,
    PagerSettings,
    ReportSettings,
    Secrets,
    SecretValue,
    Url,
    find_faults,
    named,
    target_name,
)
from bot.config.timing import EvaluatorSettings, LeaseSettings, OutageSettings, RunSettings
from services.clients.postgres.queries import SQL_DIRECTORY
from services.clients.railway.transport import TokenKind
from services.domain.environments import find_environment
from services.domain.errors import OperatorError
from services.domain.jobs import BEAT_EVERY, MISSED
from services.domain.message_origin import COMMAND, COMMAND_NAME, MessageOrigin, remember_command
from services.domain.model_prices import DEFAULT_MODEL, AskBudget, Prices, prices_of
from services.domain.privacy import Privacy
from services.domain.secrets import Secret, remember_secrets
from services.domain.services import Service, WorkerType
from services.domain.systems import SYSTEMS, System, find_system
from services.domain.thresholds import STALE_AFTER, StaleLimits

_HOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{24,}\Z")  # part of a path, and all that guards it
_MACHINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_MACHINE_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,}\Z")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
MARK_LIMIT = 30
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}\Z")


SIGN_AFTER_S = 0.7  # with Slack's own time, something is seen within a second


class SlackSettings(Group):
    """Socket Mode when `app_token` is set, else HTTP mode. Two signing secrets are accepted during a rotation.

    `command`, `mark`: of a bot that shares its workspace with another environment's. `sign_after_s`: how long a command
    may stay without an answer before something is shown.
    """

    bot_token: SecretValue = Field(validation_alias="SLACK_BOT_TOKEN")
    app_token: SecretValue | None = Field(None, validation_alias="SLACK_APP_TOKEN")
    signing_secrets: Secrets = Field((), validation_alias="SLACK_SIGNING_SECRET", validate_default=True)
    api_url: Url = Field("https://slack.com/api/", validation_alias="SLACK_API_URL")
    incidents_channel: str = Field("dragonfly-incidents", validation_alias="SLACK_INCIDENTS_CHANNEL")
    command: str = Field(COMMAND, validation_alias="SLACK_COMMAND")
    mark: str = Field("", validation_alias="ENVIRONMENT_MARK")
    sign_after_s: float = Field(SIGN_AFTER_S, validation_alias="SIGN_AFTER_SECONDS", gt=0, le=3600)
    environment: str | None = Field(None, validation_alias="ENVIRONMENT")  # `IdentitySettings` checks it

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

    @field_validator("command")
    @classmethod
    def _check_command(cls, value: str) -> str:
        if not COMMAND_NAME.match(value):
            raise ValueError("is not a slash and up to 31 lowercase letters, digits, - or _")
        return value

    @field_validator("mark")
    @classmethod
    def _check_mark(cls, value: str) -> str:
        if len(value) > MARK_LIMIT or set(value) & set("<>&*_~`\n"):
            raise ValueError(f"is longer than {MARK_LIMIT} characters, or has some of <>&*_~`")
        return value

    @property
    def origin(self) -> MessageOrigin:
        """What each message is to say of where it is from."""
        named = find_environment(self.environment or "")
        return MessageOrigin(named.name if named else None, self.mark)

    @property
    def uses_socket_mode(self) -> bool:
        return self.app_token is not None


ADMIN_URL = "DRAGONFLY_ADMIN_DB_URL"


class DatabaseSettings(Group):
    """`admin_url` is the owner's, for migrations on a terminal; without it `url` is used for those too.

    `rollback_url`: of a role that may undo migrations; None: `rollback-db` is not for this bot.
    """

    url: SecretValue = Field(validation_alias="SUPABASE_DB_URL")
    admin_url: SecretValue | None = Field(None, validation_alias=ADMIN_URL)
    rollback_url: SecretValue | None = Field(None, validation_alias="DRAGONFLY_ROLLBACK_DB_URL")

    @field_validator("url", "admin_url", "rollback_url")
    @classmethod
    def _check_scheme(cls, value: Secret | None) -> Secret | None:
        if value and not value.reveal().startswith(("postgresql://", "postgres://")):
            raise ValueError("does not start with postgresql://")
        return value


def with_owner(environ: Mapping[str, str]) -> Mapping[str, str]:
    """For what only the owner does, on a terminal: their address alone is enough, because the bot's role may not exist
    yet."""
    owner = environ.get(ADMIN_URL)
    return {**environ, "SUPABASE_DB_URL": owner} if owner and not environ.get("SUPABASE_DB_URL") else environ


class RailwaySettings(Group):
    """One token is needed: a project token (`RAILWAY_TOKEN`, preferred) or a bearer token (`RAILWAY_API_TOKEN`)."""

    token: SecretValue = Field(validation_alias=AliasChoices("RAILWAY_TOKEN", "RAILWAY_API_TOKEN"))
    token_kind: TokenKind = TokenKind.PROJECT
    project_id: str = Field(validation_alias="RAILWAY_PROJECT_ID")
    environment_id: str = Field(validation_alias="RAILWAY_ENVIRONMENT_ID")
    api_url: Url = Field("https://backboard.railway.com/graphql/v2", validation_alias="RAILWAY_API_URL")

    @model_validator(mode="before")
    @classmethod
    def _set_kind(cls, data: dict[str, Any]) -> dict[str, Any]:
        bearer = "RAILWAY_API_TOKEN" in data and "RAILWAY_TOKEN" not in data
        return {"token_kind": TokenKind.BEARER if bearer else TokenKind.PROJECT, **data}


class ApiSettings(Group):
    """Our own API, and the key for its uploads."""

    base: Url = Field(validation_alias="DRAGONFLY_API_BASE")
    api_key: SecretValue | None = Field(None, validation_alias="DRAGONFLY_API_KEY")


class AlertSettings(Group):
    """When a heartbeat is too old. `rules_path`: the file with the other limits, None for the default.

    A worker type without a limit of its own has the general one.
    """

    stale_after_s: float = Field(
        STALE_AFTER.total_seconds(), validation_alias="HEARTBEAT_STALE_AFTER_S", gt=0, le=86_400
    )
    stale_after_ingest_s: float | None = Field(None, validation_alias="HEARTBEAT_STALE_AFTER_S_INGEST", le=86_400)
    stale_after_enforcement_s: float | None = Field(
        None, validation_alias="HEARTBEAT_STALE_AFTER_S_ENFORCEMENT", le=86_400
    )
    stale_after_simplicity_s: float | None = Field(
        None, validation_alias="HEARTBEAT_STALE_AFTER_S_SIMPLICITY", le=86_400
    )
    rules_path: Path | None = Field(None, validation_alias="DRAGONFLY_ALERTS")

    @field_validator("stale_after_ingest_s", "stale_after_enforcement_s", "stale_after_simplicity_s")
    @classmethod
    def _check_beats(cls, value: float | None) -> float | None:
        if value is not None and value < MISSED.total_seconds():
            least, every = MISSED.total_seconds(), BEAT_EVERY.total_seconds()
            raise ValueError(f"is less than {least:.0f} s: workers send a heartbeat every {every:.0f} s")
        return value

    @property
    def stale_after(self) -> StaleLimits:
        own = {
            WorkerType.INGEST: self.stale_after_ingest_s,
            WorkerType.ENFORCEMENT: self.stale_after_enforcement_s,
            WorkerType.SIMPLICITY: self.stale_after_simplicity_s,
        }
        by_type: dict[str, timedelta] = {
            kind: timedelta(seconds=limit) for kind, limit in own.items() if limit is not None
        }
        return StaleLimits(timedelta(seconds=self.stale_after_s), by_type)


class ChangeSettings(Group):
    """How changes go about their work. `connection_limit`: the pooler's, which no query can show.

    alone_after_s: how long approvers may stay silent in an incident. alone_countdown_s: for a veto afterwards.

    run_steps_keep_days: after the end of their run; None keeps them for ever.

    golden_path_in_prod: also where the uploaded rows stay, because the operated system removes none.

    promotion_secret: signs what one environment proved for another's bot; None: nothing is promoted.

    sql_directory: has `migrations/` and `rollbacks/`; in another than ours a rollback is prepared without a new build.
    """

    soak_s: int = Field(120, validation_alias="SOAK_SECONDS", ge=1, le=3600)  # the runbook's two minutes
    alone_after_s: int = Field(180, validation_alias="ALONE_AFTER_SECONDS", ge=1, le=3600)  # 3 minutes
    alone_countdown_s: int = Field(60, validation_alias="ALONE_COUNTDOWN_SECONDS", ge=1, le=3600)
    run_steps_keep_days: int | None = Field(None, validation_alias="RUN_STEPS_KEEP_DAYS", ge=365, le=36_500)
    connection_limit: int | None = Field(None, validation_alias="DATABASE_CONNECTION_LIMIT", ge=1, le=100_000)
    golden_path_in_prod: bool = Field(False, validation_alias="GOLDEN_PATH_IN_PROD")
    promotion_secret: SecretValue | None = Field(None, validation_alias="PROMOTION_SECRET")
    sql_directory: Path = Field(SQL_DIRECTORY, validation_alias="DRAGONFLY_SQL")

    @field_validator("promotion_secret")
    @classmethod
    def _check_promotion_secret(cls, value: Secret | None) -> Secret | None:
        if value is not None and not _HOOK_SECRET.match(value.reveal()):
            raise ValueError("is not at least 24 letters, digits, - or _")
        return value

    @field_validator("sql_directory")
    @classmethod
    def _check_folder(cls, value: Path) -> Path:
        if not (value / "migrations").is_dir():
            raise ValueError("names no folder with migrations/")
        return value

    @property
    def migrations(self) -> Path:
        return self.sql_directory / "migrations"

    @property
    def rollbacks(self) -> Path:
        return self.sql_directory / "rollbacks"


class PeopleSettings(Group):
    """Slack user or user-group ids. Empty allows no one. `policy_path`: the finer policy, None for the default."""

    operators: Ids = Field((), validation_alias="DRAGONFLY_OPERATORS")
    approvers: Ids = Field((), validation_alias="DRAGONFLY_APPROVERS")
    policy_path: Path | None = Field(None, validation_alias="DRAGONFLY_POLICY")

    @field_validator("operators", "approvers")
    @classmethod
    def _check_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = sum(_SLACK_ID.match(part) is None for part in value)
        if wrong:
            raise ValueError(f"holds {wrong} of {len(value)} entries that are not Slack ids")
        return value


class OnCallSettings(Group):
    """`path`: the on-call file; without it incidents call the approvers."""

    path: Path | None = Field(None, validation_alias="DRAGONFLY_ONCALL")


class CalendarSettings(Group):
    """Calendars that are the source of a rotation. `addresses` is a mapping from the variable's name."""

    addresses: Mapping[str, CalendarUrl] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"addresses": named(data, CALENDAR_URL)}

    @property
    def urls(self) -> dict[str, Secret]:
        """`{name: address}`."""
        return {target_name(name, CALENDAR_URL): url for name, url in self.addresses.items()}


class IdentitySettings(Group):
    """Which environment this bot belongs to, and which commit it runs. `supabase_url` is for links to its dashboard."""

    environment: EnvironmentName = Field(validation_alias="ENVIRONMENT")
    supabase_mode: EnvironmentName = Field(validation_alias="SUPABASE_MODE")
    git_sha: str | None = Field(None, validation_alias="RAILWAY_GIT_COMMIT_SHA")
    railway_service: str | None = Field(None, validation_alias="RAILWAY_SERVICE_NAME")
    supabase_url: str | None = Field(None, validation_alias="SUPABASE_URL")


class SupabaseSettings(Group):
    """`key`: of the project's metrics; None: they are not read."""

    key: SecretValue | None = Field(None, validation_alias="SUPABASE_METRICS_KEY")
    url: str | None = Field(None, validation_alias="SUPABASE_URL", validate_default=True)

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("key") is None:
            return None
        parts = urlsplit(value or "")
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("is not the project's https address, and SUPABASE_METRICS_KEY is set")
        return value


class SystemSettings(Group):
    """The system that is operated; None: the one that the database shows. Railway's name of its fourth service."""

    name: str | None = Field(None, validation_alias="OPERATED_SYSTEM")
    simplicity: str | None = Field(None, validation_alias="RAILWAY_SERVICE_SIMPLICITY", max_length=100)

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        if value is not None and find_system(value) is None:
            raise ValueError(f"is not {' or '.join(system.name for system in SYSTEMS)}")
        return value

    @property
    def railway_names(self) -> dict[str, str]:
        """`{Railway's name: our name}` of services that are called otherwise there."""
        return {self.simplicity: Service.SIMPLICITY.value} if self.simplicity else {}

    @property
    def system(self) -> System | None:
        found = find_system(self.name) if self.name else None
        return self.named(found) if found else None

    def named(self, system: System) -> System:
        """The system with the services' names in Railway."""
        return system.renamed({"simplicity": self.simplicity}) if self.simplicity else system


class WebSettings(Group):
    """Where /healthz, /metrics and /slack/events listen. Port 0: the system picks one."""

    port: int = Field(8080, validation_alias="PORT", ge=0, le=65_535)


class PrivacySettings(Group):
    """How much of a log line or an error the one who asked for it sees (docs/adr/0010)."""

    log_privacy: Literal["strict", "balanced"] = Field("balanced", validation_alias="LOG_PRIVACY")


class LogSettings(Group):
    """How the bot writes its own log."""

    log_format: Literal["plain", "json"] = Field("plain", validation_alias="LOG_FORMAT")


class TraceSettings(Group):
    """Where spans go: an OTLP collector over HTTP; None: nowhere, and nothing is recorded."""

    endpoint: Url | None = Field(None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")


Dollars = Annotated[Decimal, Field(ge=0, le=10_000)]
MOST_TOKENS = 1_000_000_000


class AssistantSettings(Group):
    """The model that answers questions in words. Without a key the rules answer alone."""

    api_key: SecretValue | None = Field(None, validation_alias="OPENAI_API_KEY")
    base_url: Url = Field("https://api.openai.com/v1", validation_alias="OPENAI_BASE_URL")
    model: str = Field(DEFAULT_MODEL, validation_alias="OPENAI_MODEL")
    input_usd: Dollars | None = Field(None, validation_alias="OPENAI_INPUT_USD_PER_MTOK")
    output_usd: Dollars | None = Field(None, validation_alias="OPENAI_OUTPUT_USD_PER_MTOK", validate_default=True)
    answer_usd: Dollars = Field(AskBudget.answer_usd, validation_alias="ASK_ANSWER_USD")
    person_usd: Dollars = Field(AskBudget.person_usd, validation_alias="ASK_PERSON_DAY_USD")
    day_usd: Dollars = Field(AskBudget.day_usd, validation_alias="ASK_DAY_USD")
    answer_tokens: int = Field(AskBudget.answer_tokens, validation_alias="ASK_ANSWER_TOKENS", ge=0, le=MOST_TOKENS)
    person_tokens: int = Field(AskBudget.person_tokens, validation_alias="ASK_PERSON_DAY_TOKENS", ge=0, le=MOST_TOKENS)
    day_tokens: int = Field(AskBudget.day_tokens, validation_alias="ASK_DAY_TOKENS", ge=0, le=MOST_TOKENS)

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        """The key travels along, so it must be encrypted unless it stays on this machine."""
        parts = urlsplit(value)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("is not an https:// address")
        return value

    @field_validator("output_usd")
    @classmethod
    def _check_prices(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        model, given = str(info.data.get("model")), info.data.get("input_usd")
        if info.data.get("api_key") is not None and prices_of(model, given, value) is None:
            raise ValueError("is not set, and the prices of this OPENAI_MODEL are unknown")
        return value

    @property
    def prices(self) -> Prices | None:
        """None while the prices of a configured model are unknown."""
        return prices_of(self.model, self.input_usd, self.output_usd)

    @property
    def budget(self) -> AskBudget:
        return AskBudget(
            self.answer_usd, self.person_usd, self.day_usd, self.answer_tokens, self.person_tokens, self.day_tokens
        )


@dataclass(frozen=True)
class Machine:
    """What may call `POST /machines`, by its token. `name` is what the policy knows it by: "machine:ci"."""

    name: str
    token: Secret


def _to_machines(value: object) -> object:
    """ "ci=<token>, laptop=<token>"."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    if any(not _MACHINE_NAME.match(name) or not _MACHINE_TOKEN.match(token) for name, _, token in pairs):
        raise ValueError("is not name=token pairs: a token has at least 32 letters, digits, - or _")
    if len({name for name, _, _ in pairs}) < len(pairs) or len({token for _, _, token in pairs}) < len(pairs):
        raise ValueError("has a name or a token twice")
    return tuple(Machine(name, Secret(token)) for name, _, token in pairs)


class HookSettings(Group):
    """What others call: the secrets by which they are known, and where. Several are accepted during a rotation; without
    one no call is accepted. `machines`: what may call the door for machines.

    `pagerduty_token`: reads the e-mail address of a person there, None: they go by the name they have there.
    `public_url`: where this bot is reached from outside; None: pages carry no one-time link.
    """

    railway_secrets: Secrets = Field((), validation_alias="RAILWAY_WEBHOOK_SECRET")
    pagerduty_secrets: Secrets = Field((), validation_alias="PAGERDUTY_WEBHOOK_SECRET")
    pagerduty_token: SecretValue | None = Field(None, validation_alias="PAGERDUTY_API_TOKEN")
    pagerduty_api: Url = Field("https://api.pagerduty.com", validation_alias="PAGERDUTY_API_URL")
    public_url: Url | None = Field(None, validation_alias="BOT_PUBLIC_URL")
    machines: Annotated[tuple[Machine, ...], BeforeValidator(_to_machines)] = Field(
        (), validation_alias="MACHINE_TOKENS"
    )

    @field_validator("railway_secrets")
    @classmethod
    def _check_strength(cls, value: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if any(not _HOOK_SECRET.match(secret.reveal()) for secret in value):
            raise ValueError("is not at least 24 letters, digits, - or _")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("is not an https address: its links would be readable on their way")
        return value.rstrip("/")


class GitHubSettings(Group):
    """`repo`, "owner/name", holds the code that is deployed, and gets an issue per follow-up. Both or neither are
    given."""

    token: SecretValue | None = Field(None, validation_alias="GITHUB_TOKEN")
    repo: str | None = Field(None, validation_alias="GITHUB_REPO", validate_default=True)
    api_url: Url = Field("https://api.github.com", validation_alias="GITHUB_API")

    @field_validator("repo")
    @classmethod
    def _check_repo(cls, value: str | None, info: ValidationInfo) -> str | None:
        has_token = info.data.get("token") is not None
        if value is None and has_token:
            raise ValueError("is not set, and GITHUB_TOKEN is")
        if value is not None and not has_token:
            raise ValueError("is set, and GITHUB_TOKEN is not")
        if value is not None and not _REPO.match(value):
            raise ValueError("is not owner/name")
        return value


def _with_prefix(value: Secret, prefix: str) -> Secret:
    if not value.reveal().startswith(prefix):
        raise ValueError(f"does not start with {prefix}")
    return value


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
            log=_read("log", LogSettings, given),
            traces=_read("traces", TraceSettings, given),
            assistant=_read("assistant", AssistantSettings, given),
            reports=_read("reports", ReportSettings, given),
            github=_read("github", GitHubSettings, given),
            supabase=_read("supabase", SupabaseSettings, given),
            system=_read("system", SystemSettings, given),
            calendars=_read("calendars", CalendarSettings, given),
        )
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
        """Every secret of the environment that can be used."""
        values = (value for group in self._usable for _, value in group)
        return tuple(_secrets_in(list(values)))

    @property
    def _usable(self) -> tuple[Group, ...]:
        groups = (getattr(self, one.name) for one in fields(self))
        return tuple(group for group in groups if isinstance(group, Group))

    @property
    def environment(self) -> str | None:
        """One of `services.domain.environments`; None when the variables are missing or malformed."""
        return None if isinstance(self.identity, Invalid) else self.identity.environment

    @property
    def sign_after_s(self) -> float:
        """Seconds after which a command without an answer shows something."""
        return SIGN_AFTER_S if isinstance(self.slack, Invalid) else self.slack.sign_after_s

    @property
    def own_service(self) -> str | None:
        """The bot's own name in Railway; None elsewhere."""
        return None if isinstance(self.identity, Invalid) else self.identity.railway_service

    @property
    def operated(self) -> SystemSettings:
        """Which system is operated; as the database shows it when a variable is malformed."""
        return SystemSettings() if isinstance(self.system, Invalid) else self.system

    @property
    def git_sha(self) -> str | None:
        """The commit this process runs; None when Railway did not report it."""
        return None if isinstance(self.identity, Invalid) else self.identity.git_sha

    @property
    def outside_targets(self) -> int:
        """How many targets outside Slack there are."""
        return sum(len(group.targets) for group in (self.pager, self.mail) if not isinstance(group, Invalid))

    @property
    def log_privacy(self) -> Privacy:
        """How much of the requested lines a requester sees; strict when the variable is malformed."""
        return Privacy.STRICT if isinstance(self.privacy, Invalid) else Privacy(self.privacy.log_privacy)

    @property
    def keep_run_steps(self) -> timedelta | None:
        """For how long after their run's end; None, also when a variable is malformed: for ever."""
        days = None if isinstance(self.changes, Invalid) else self.changes.run_steps_keep_days
        return None if days is None else timedelta(days=days)

    @property
    def stale_after(self) -> StaleLimits:
        """The ages past which a heartbeat is stale; the defaults when a variable is malformed."""
        return (AlertSettings() if isinstance(self.alerts, Invalid) else self.alerts).stale_after

    @property
    def changing(self) -> ChangeSettings:
        """How changes go about their work; the defaults when a variable is malformed."""
        return ChangeSettings() if isinstance(self.changes, Invalid) else self.changes


def read_log_format(environ: Mapping[str, str]) -> Literal["plain", "json"]:
    """How to write the log, before anything else is read; plain when the variable is malformed."""
    group = _read("log", LogSettings, {name: value.strip() for name, value in environ.items() if value.strip()})
    return "plain" if isinstance(group, Invalid) else group.log_format


GroupT = TypeVar("GroupT", bound=Group)


def require(group: GroupT | Invalid) -> GroupT:
    """The group, or an OperatorError that lists everything wrong with it."""
    if isinstance(group, Invalid):
        raise OperatorError(
            f"The {group.group} settings cannot be used",
            why=group.why,
            what_next=" ".join(f"{fault.variable}: {fault.what_next}." for fault in group.faults)
            + " `check-config` shows whether it is fixed.",
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
