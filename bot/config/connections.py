"""Variables of the systems that the bot calls, and of the systems that call the bot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.config.fields import (
    Group,
    Secrets,
    SecretValue,
    Url,
    check_strength,
)
from services.clients.railway.transport import TokenKind
from services.domain.environments import find_environment
from services.domain.message_origin import COMMAND, COMMAND_NAME, MessageOrigin
from services.domain.model_prices import DEFAULT_MODEL, AskBudget, Prices, prices_of
from services.domain.secrets import Secret

_MACHINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_MACHINE_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,}\Z")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
MARK_LIMIT = 30
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
SIGN_AFTER_S = 0.7  # together with Slack's own delay, a person sees something within 1 s


class SlackSettings(Group):
    """Socket Mode if `app_token` is set, else HTTP mode. Two signing secrets are accepted during a rotation.

    `command`, `mark`: for a bot that shares its workspace with another environment's. `sign_after_s`: seconds without
    an answer after which a command shows that it is being processed.
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
        """The origin that each message shows."""
        named = find_environment(self.environment or "")
        return MessageOrigin(named.name if named else None, self.mark)

    @property
    def uses_socket_mode(self) -> bool:
        return self.app_token is not None


ADMIN_URL = "DRAGONFLY_ADMIN_DB_URL"


class DatabaseSettings(Group):
    """The addresses of the database. `admin_url` is the owner's, for migrations on a terminal; without it these use
    `url` too.

    `rollback_url`: of a role that may undo migrations; None: this bot can't run `rollback-db`.
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
    """The environment for a terminal command of the owner: their address alone is enough, because the bot's role may
    not exist yet."""
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
    """The address of our own API, and the key for its uploads."""

    base: Url = Field(validation_alias="DRAGONFLY_API_BASE")
    api_key: SecretValue | None = Field(None, validation_alias="DRAGONFLY_API_KEY")


class SupabaseSettings(Group):
    """`key`: for the project's metrics; None: they are not read."""

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


Dollars = Annotated[Decimal, Field(ge=0, le=10_000)]
MOST_TOKENS = 1_000_000_000


class AssistantSettings(Group):
    """The model that answers questions in words. Without a key only the rules answer."""

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
        """The request carries the key, so it must be encrypted unless it stays on this machine."""
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
        """The prices of the configured model; None if they are unknown."""
        return prices_of(self.model, self.input_usd, self.output_usd)

    @property
    def budget(self) -> AskBudget:
        return AskBudget(
            self.answer_usd, self.person_usd, self.day_usd, self.answer_tokens, self.person_tokens, self.day_tokens
        )


@dataclass(frozen=True)
class Machine:
    """A machine that may call `POST /machines` with its token. The policy knows it by `name`: "machine:ci"."""

    name: str
    token: Secret


def _to_machines(value: object) -> object:
    """Parse "ci=<token>, laptop=<token>"."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    if any(not _MACHINE_NAME.match(name) or not _MACHINE_TOKEN.match(token) for name, _, token in pairs):
        raise ValueError("is not name=token pairs: a token has at least 32 letters, digits, - or _")
    if len({name for name, _, _ in pairs}) < len(pairs) or len({token for _, _, token in pairs}) < len(pairs):
        raise ValueError("has a name or a token twice")
    return tuple(Machine(name, Secret(token)) for name, _, token in pairs)


class HookSettings(Group):
    """Calls from outside systems: the secrets that authenticate them. Several are accepted during a rotation; without
    one no call is accepted. `machines`: the machines that may call `POST /machines`.

    `pagerduty_token`: reads a person's e-mail address there; None: people are shown by their names there. `public_url`:
    the address of this bot from outside; None: pages carry no one-time link.
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
        check_strength(*value)
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
    """`repo`, "owner/name": the deployed code's repository; it gets an issue per follow-up. Both are set or neither."""

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
