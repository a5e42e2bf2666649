"""What is wrong with a group of settings, in words that hold no value, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bot.settings.paging import EMAIL, ROUTING_KEY, WEBHOOK_URL
from bot.settings.values import Group


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


def find_faults(kind: type[Group], error: ValidationError) -> tuple[Fault, ...]:
    """Everything that pydantic finds wrong with this kind of group."""
    found = error.errors(include_url=False, include_input=False)
    return tuple(_to_fault(_variable(kind, one["loc"]), one) for one in found)


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
    "DRAGONFLY_ROLLBACK_DB_URL": "copy the connection string of the role that may undo migrations, or remove it",
    "RAILWAY_TOKEN": "make a project token in Railway's project settings",
    "RAILWAY_PROJECT_ID": "copy it from Railway's project settings",
    "RAILWAY_ENVIRONMENT_ID": "copy it from the address of the environment's page in Railway",
    "RAILWAY_API_URL": "remove it to use Railway's own",
    "DRAGONFLY_API_BASE": "set the API's public address, such as https://….up.railway.app",
    "HEARTBEAT_STALE_AFTER_S": "set seconds, such as 300, or remove it",
    "SOAK_SECONDS": "set seconds from 1 to 3600, such as 120, or remove it",
    "ALONE_AFTER_SECONDS": "set seconds from 1 to 3600, such as 180, or remove it",
    "ALONE_COUNTDOWN_SECONDS": "set seconds from 1 to 3600, such as 60, or remove it",
    "RUN_STEPS_KEEP_DAYS": "set days from 365 on, such as 1095, or remove it to keep them",
    "DATABASE_CONNECTION_LIMIT": "set how many clients the pooler takes, as Supabase's settings say, or remove it",
    "DRAGONFLY_SQL": "name a folder that has migrations/ and rollbacks/, or remove it",
    "DRAGONFLY_OPERATORS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "DRAGONFLY_APPROVERS": "list user ids (U…) or user-group ids (S…), separated by commas",
    "ENVIRONMENT": "set dev, staging or prod",
    "SUPABASE_MODE": "set dev, staging or prod, the same as ENVIRONMENT",
    "LOG_PRIVACY": "set strict or balanced, or remove it",
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
