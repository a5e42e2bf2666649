"""The types of settings' fields, and faults that reveal no value."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
)

from services.domain.environments import NAMES, check_environment, one_of
from services.domain.secrets import Secret

WEBHOOK_URL, ROUTING_KEY, EMAIL = "PAGER_WEBHOOK_URL", "PAGER_ROUTING_KEY", "PAGER_EMAIL"
CALENDAR_URL = "ONCALL_CALENDAR_URL"  # of a rotation; with a suffix, as targets have


def _to_secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


def _to_list(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def check_url(value: str) -> str:
    """Return the value. Raises ValueError, without the value in its text."""
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
EnvironmentName = Annotated[str, AfterValidator(check_environment)]
Url = Annotated[str, BeforeValidator(lambda value: check_url(value) if isinstance(value, str) else value)]


_STRONG = re.compile(r"[A-Za-z0-9_-]{24,}\Z")  # part of an address's path, and its only protection


def check_strength(*secrets: Secret) -> None:
    """Raises ValueError if one of the secrets can be guessed."""
    if any(not _STRONG.match(secret.reveal()) for secret in secrets):
        raise ValueError("is not at least 24 letters, digits, - or _")


class Group(BaseModel):
    """A frozen group of variables. `hide_input_in_errors`: a malformed secret must not appear in a traceback."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", hide_input_in_errors=True)


_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x20\x7f]")  # urlsplit removes some of them
_ADDRESS = re.compile(r"[!-~]+@[!-~]+\Z")  # ASCII, no blanks: not every mail server accepts more


def _check_secret_url(value: Secret) -> Secret:
    check_url(value.reveal())
    return value


def _check_https(value: Secret) -> Secret:
    address = value.reveal()
    parts = urlsplit(address)
    if parts.scheme != "https" or _NOT_IN_ADDRESSES.search(address):
        raise ValueError("is not an https address")
    try:
        (parts.hostname or "").encode("idna").decode("idna")
    except UnicodeError:
        raise ValueError("names a host that can't exist") from None
    return value


def _check_address(value: str) -> str:
    if not _ADDRESS.match(value) or set(value) & set(",;<>"):
        raise ValueError("is not an e-mail address")
    return value


def _check_authorities(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # includes ssl.SSLError
        raise ValueError("is not a file with certificates in PEM form") from error
    return path


SecretUrl = Annotated[SecretValue, AfterValidator(_check_secret_url)]
CalendarUrl = Annotated[SecretUrl, AfterValidator(_check_https)]
Address = Annotated[str, AfterValidator(_check_address)]
CaFile = Annotated[Path, AfterValidator(_check_authorities)]


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
    """A group that cannot be used, with all its faults."""

    group: str
    faults: tuple[Fault, ...]

    @property
    def why(self) -> str:
        """One clause for people: "SUPABASE_DB_URL is not set"."""
        return ", ".join(f"{fault.variable} {fault.problem}" for fault in self.faults)


def find_faults(kind: type[Group], error: ValidationError) -> tuple[Fault, ...]:
    """All the faults that pydantic finds in a group of this kind."""
    found = error.errors(include_url=False, include_input=False)
    return tuple(_to_fault(_variable(kind, one["loc"]), one) for one in found)


def _variable(kind: type[Group], place: tuple[int | str, ...]) -> str:
    """The variable that an error is about: pydantic gives an invalid default's field, else the last of the aliases."""
    name = [str(part) for part in place if isinstance(part, str)][-1]
    known = kind.model_fields.get(name)
    return str(known.validation_alias if known else name)


def _to_fault(variable: str, error: Any) -> Fault:
    """A pydantic error as a fault; its own words are used only if no value can be in them."""
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
    """The next step for a variable; for a target's variable, the one of the part before its name."""
    prefixes = (WEBHOOK_URL, ROUTING_KEY, EMAIL, CALENDAR_URL)
    known = next((prefix for prefix in prefixes if variable.startswith(prefix)), variable)
    return _WHAT_NEXT.get(known, "set it as docs/configuration.md describes")


_WHAT_NEXT = {
    "SLACK_BOT_TOKEN": "copy the Bot User OAuth Token of the app's page OAuth & Permissions",
    "SLACK_APP_TOKEN": "make an app-level token with connections:write on the app's page Basic Information",
    "SLACK_SIGNING_SECRET": "set SLACK_APP_TOKEN for Socket Mode, or the signing secret for HTTP mode",
    "SLACK_API_URL": "remove it to use Slack's own",
    "SUPABASE_DB_URL": "copy the pooler's connection string for role dragonfly_bot from Supabase",
    "DRAGONFLY_ADMIN_DB_URL": "copy the pooler's connection string of the owner from Supabase, or remove it",
    "DRAGONFLY_ROLLBACK_DB_URL": "copy the connection string of the role that may undo migrations, or remove it",
    "RAILWAY_TOKEN": "make a project token in Railway's project settings",
    "RAILWAY_PROJECT_ID": "copy it from Railway's project settings",
    "RAILWAY_ENVIRONMENT_ID": "copy it from the address of the environment's page in Railway",
    "RAILWAY_API_URL": "remove it to use Railway's own",
    "DRAGONFLY_API_BASE": "set the API's public address, such as https://….up.railway.app",
    "HEARTBEAT_STALE_AFTER_S": "set seconds, such as 300, or remove it",
    "HEARTBEAT_STALE_AFTER_S_INGEST": "set seconds from 75 to 86400, or remove it to use HEARTBEAT_STALE_AFTER_S",
    "HEARTBEAT_STALE_AFTER_S_ENFORCEMENT": "set seconds from 75 to 86400, or remove it to use HEARTBEAT_STALE_AFTER_S",
    "SOAK_SECONDS": "set seconds from 1 to 3600, such as 120, or remove it",
    "ALONE_AFTER_SECONDS": "set seconds from 1 to 3600, such as 180, or remove it",
    "ALONE_COUNTDOWN_SECONDS": "set seconds from 1 to 3600, such as 60, or remove it",
    "RUN_STEPS_KEEP_DAYS": "set days from 365 on, such as 1095, or remove it to keep them",
    "DATABASE_CONNECTION_LIMIT": "set how many clients the pooler takes, as Supabase's settings say, or remove it",
    "DRAGONFLY_SQL": "name a folder that has migrations/ and rollbacks/, or remove it",
    "DRAGONFLY_OPERATORS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "DRAGONFLY_APPROVERS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "ENVIRONMENT": f"set {one_of(NAMES)}",
    "SUPABASE_MODE": f"set {one_of(NAMES)}, the same as ENVIRONMENT",
    "LOG_FORMAT": "set plain or json, or remove it",
    "LOG_PRIVACY": "set strict or balanced, or remove it",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "set your collector's http(s) address, or remove it",
    "OPENAI_BASE_URL": "set an https:// address, or remove it to use OpenAI's own",
    "OPENAI_OUTPUT_USD_PER_MTOK": "set both OPENAI_INPUT_USD_PER_MTOK and it from the model's price list",
    "PORT": "set a port number, or remove it",
    WEBHOOK_URL: "set the https address that your pager gives you, or remove it",
    ROUTING_KEY: "copy the integration key of an Events API v2 integration from PagerDuty, or remove it",
    EMAIL: "set one e-mail address, or remove it",
    CALENDAR_URL: "copy the https address of the calendar in iCal form, or remove it",
    "SMTP_URL": "set smtp://user:password@host:587, or smtps://…:465",
    "SMTP_CA_FILE": "name a PEM file with the authority of your mail server's certificate, or remove it",
    "SMTP_FROM": "set the address that the mail server lets you send from",
    "RAILWAY_WEBHOOK_SECRET": "make one with `openssl rand -hex 24`, or remove it",
    "PAGERDUTY_WEBHOOK_SECRET": "copy the secret that PagerDuty shows with a new webhook subscription, or remove it",
    "PAGERDUTY_API_TOKEN": "make a read-only REST API key in PagerDuty, or remove it",
    "PAGERDUTY_API_URL": "set https://api.eu.pagerduty.com for an EU account, or remove it",
    "BOT_PUBLIC_URL": "set the bot's public https address, such as https://….up.railway.app, or remove it",
    "WEEKLY_REPORT": "set a weekday and a time, such as `mon 09:00`, or remove it",
    "DEAD_MANS_SWITCH_URL": "set the address that your monitor gives you, or remove it",
}
