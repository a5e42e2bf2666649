"""The parameters of a change, as text, into the types that its playbook takes. Nothing is planned from a wrong one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands._arguments import parse_service, wrong_word
from services.domain.errors import UsageError
from services.domain.services import Service, find_services

_TARGET = re.compile(r"[0-9a-z-]{7,64}\Z")


def only(parameters: Mapping[str, str], *names: str) -> None:
    """Raises UsageError for a parameter that the change does not take: it would be approved and not obeyed."""
    for name in parameters:
        if name not in names:
            raise wrong_word(name, "is not a parameter of this change", f"It takes {', '.join(names)}.")


def need(parameters: Mapping[str, str], name: str) -> str:
    """The parameter's text, without blanks around it."""
    value = parameters.get(name, "").strip()
    if not value:
        raise UsageError("Nothing was done", why=f"`{name}` is missing", what_next="`help` shows what to write.")
    return value


def read_service(parameters: Mapping[str, str]) -> Service:
    """One service, by its full or short name."""
    return parse_service(need(parameters, "service"))


def read_services(parameters: Mapping[str, str]) -> tuple[str, tuple[Service, ...]]:
    """The word for the services, as written in a plan, and the services: one, `workers` or `all`."""
    word = need(parameters, "service").lower()
    services = find_services(word) or (parse_service(word),)
    return (word if len(services) > 1 else services[0].short), services


def read_count(parameters: Mapping[str, str], name: str, *, largest: int) -> int:
    """A whole number from 0."""
    text = need(parameters, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= largest):
        raise wrong_word(text, "is not a number that fits", f"Take 0 to {largest}.")
    return int(text)


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    """Whether the flag is there; its value is "yes"."""
    value = parameters.get(name, "")
    if value not in ("", "yes"):
        raise wrong_word(value, f"is not a value of {name}", "Write `yes`, or leave it out.")
    return value == "yes"


def read_target(parameters: Mapping[str, str], name: str) -> str | None:
    """A commit of 7 to 40 characters or a deployment's id, in lower case; None when it is left out."""
    value = parameters.get(name, "").strip().lower()
    if not value:
        return None
    if not _TARGET.match(value):
        raise wrong_word(value, "is neither a commit nor a deployment", "Write at least 7 characters of the commit.")
    return value
