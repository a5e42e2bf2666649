"""What the variables of the environment hold: text, read into secrets, lists and addresses."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict

from services.domain.secrets import Secret

Environment = Literal["dev", "staging", "prod"]


def _to_secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


def _to_list(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def check_url(value: str) -> str:
    """The value, or ValueError in words that do not repeat it."""
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
Url = Annotated[str, BeforeValidator(lambda value: check_url(value) if isinstance(value, str) else value)]


class Group(BaseModel):
    """A frozen part of the environment. `hide_input_in_errors`: a malformed secret must not end in a traceback."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", hide_input_in_errors=True)
