"""How people are reached when Slack is not enough: pagers, e-mail, and an outside monitor of the bot itself.

A target has a name. `PAGER_WEBHOOK_URL` is the target "default", `PAGER_WEBHOOK_URL_ANN` the target "ann"; the same
goes for `PAGER_ROUTING_KEY…` (PagerDuty) and `PAGER_EMAIL…`. Tables and files hold names only, never what is behind.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from bot.settings.values import Group, SecretValue, check_url
from services.domain.secrets import Secret
from services.mail.client import MailServer
from services.webhooks.client import PAGERDUTY, Pager

DEFAULT_TARGET = "default"
WEBHOOK_URL, ROUTING_KEY, EMAIL = "PAGER_WEBHOOK_URL", "PAGER_ROUTING_KEY", "PAGER_EMAIL"

_ADDRESS = re.compile(r"[!-~]+@[!-~]+\Z")  # ASCII, no blanks: not every mail server takes more


def _check_secret_url(value: Secret) -> Secret:
    check_url(value.reveal())
    return value


def _check_address(value: str) -> str:
    if not _ADDRESS.match(value) or set(value) & set(",;<>"):
        raise ValueError("is not an e-mail address")
    return value


def _check_authorities(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError("is not a file with certificates in PEM form") from error
    return path


SecretUrl = Annotated[SecretValue, AfterValidator(_check_secret_url)]
Address = Annotated[str, AfterValidator(_check_address)]
CaFile = Annotated[Path, AfterValidator(_check_authorities)]


class PagerSettings(Group):
    """Webhooks, each a mapping from the variable's name. Nothing is needed."""

    urls: Mapping[str, SecretUrl] = Field(default_factory=dict)
    routing_keys: Mapping[str, SecretValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {"urls": _named(data, WEBHOOK_URL), "routing_keys": _named(data, ROUTING_KEY)}

    @property
    def targets(self) -> dict[str, Pager]:
        """`{name: pager}`: PagerDuty's form where there is a routing key, and its address unless another is given."""
        keys = {_target(name, ROUTING_KEY): key for name, key in self.routing_keys.items()}
        urls = {_target(name, WEBHOOK_URL): url for name, url in self.urls.items()}
        return {name: Pager(urls.get(name, Secret(PAGERDUTY)), keys.get(name)) for name in sorted({*urls, *keys})}


class MailSettings(Group):
    """`addresses` is a mapping from the variable's name. Nothing is needed; with an address all of it is."""

    addresses: Mapping[str, Address] = Field(default_factory=dict)
    server_url: SecretValue | None = Field(None, validation_alias="SMTP_URL", validate_default=True)
    sender: Address | None = Field(None, validation_alias="SMTP_FROM", validate_default=True)
    ca_file: CaFile | None = Field(None, validation_alias="SMTP_CA_FILE")

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "addresses": _named(data, EMAIL)}

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
        return {_target(name, EMAIL): address for name, address in sorted(self.addresses.items())}

    @property
    def server(self) -> MailServer | None:
        """None when no mail is sent."""
        if self.server_url is None or self.sender is None:
            return None
        return MailServer(self.server_url, self.sender, ca_file=self.ca_file)


class MonitorSettings(Group):
    """`url` is called while all is well; whoever listens there raises the alarm when the calls stop."""

    url: SecretUrl | None = Field(None, validation_alias="DEAD_MANS_SWITCH_URL")


def _named(data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The variables of this name, with and without a suffix."""
    return {name: value for name, value in data.items() if name == prefix or name.startswith(f"{prefix}_")}


def _target(variable: str, prefix: str) -> str:
    return variable.removeprefix(prefix).removeprefix("_").lower().replace("_", "-") or DEFAULT_TARGET


def _is_mail_server(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
