"""Variables of the channels that reach people outside Slack, and of the on-call file.

A target has a name. `PAGER_WEBHOOK_URL` is the target "default", `PAGER_WEBHOOK_URL_ANN` the target "ann";
`PAGER_ROUTING_KEY…` (PagerDuty) and `PAGER_EMAIL…` work the same way. Tables and files hold only names, never addresses
or keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bot.config.fields import (
    CALENDAR_URL,
    EMAIL,
    ROUTING_KEY,
    WEBHOOK_URL,
    Address,
    CaFile,
    CalendarUrl,
    Group,
    SecretUrl,
    SecretValue,
)
from services.domain.secrets import Secret

if TYPE_CHECKING:
    from services.clients.pagers.formats import PagerKind

DEFAULT_TARGET = "default"


class PagerSettings(Group):
    """Pagers: webhook URLs and routing keys, each a mapping from the variable's name. None is required."""

    urls: Mapping[str, SecretUrl] = Field(default_factory=dict)
    routing_keys: Mapping[str, SecretValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"urls": named(data, WEBHOOK_URL), "routing_keys": named(data, ROUTING_KEY)}

    @property
    def targets(self) -> dict[str, PagerKind]:
        """`{name: pager}` of every kind: in PagerDuty's format if there is a routing key, and at PagerDuty's address
        unless another is given. The import is here because a read on the terminal pages no one."""
        from services.clients.pagers.formats import PAGERDUTY, Pager

        keys = {target_name(name, ROUTING_KEY): key for name, key in self.routing_keys.items()}
        urls = {target_name(name, WEBHOOK_URL): url for name, url in self.urls.items()}
        return {name: Pager(urls.get(name, Secret(PAGERDUTY)), keys.get(name)) for name in sorted({*urls, *keys})}


class MailSettings(Group):
    """`addresses` is a mapping from the variable's name. Nothing is required; with an address all the variables are."""

    addresses: Mapping[str, Address] = Field(default_factory=dict)
    server_url: SecretValue | None = Field(None, validation_alias="SMTP_URL", validate_default=True)
    sender: Address | None = Field(None, validation_alias="SMTP_FROM", validate_default=True)
    ca_file: CaFile | None = Field(None, validation_alias="SMTP_CA_FILE")

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "addresses": named(data, EMAIL)}

    @field_validator("server_url", "sender")
    @classmethod
    def _check_complete(cls, value: Any, info: Any) -> Any:
        if value is None and info.data.get("addresses"):
            raise ValueError("is not set, and an e-mail target needs it")
        return value

    @field_validator("server_url")
    @classmethod
    def _check_server(cls, value: Secret | None) -> Secret | None:
        if value is not None and not _is_mail_server(value.reveal()):
            raise ValueError("does not look like smtp://user:password@host:587 or smtps://…:465")
        return value

    @property
    def targets(self) -> dict[str, str]:
        """`{name: address}`."""
        return {target_name(name, EMAIL): address for name, address in sorted(self.addresses.items())}


class MonitorSettings(Group):
    """The dead man's switch. `url` is called while the bot works; the monitor behind it alerts when the calls stop."""

    url: SecretUrl | None = Field(None, validation_alias="DEAD_MANS_SWITCH_URL")


def named(data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The variables with this name, with and without a suffix."""
    return {name: value for name, value in data.items() if name == prefix or name.startswith(f"{prefix}_")}


def target_name(variable: str, prefix: str) -> str:
    """The name that a variable gives its target; "default" without a suffix."""
    return variable.removeprefix(prefix).removeprefix("_").lower().replace("_", "-") or DEFAULT_TARGET


def _is_mail_server(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class OnCallSettings(Group):
    """`path`: the on-call file; without it incidents page the approvers."""

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
