"""`rollback-db <version>`: take a migration back with its prepared rollback."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands._arguments import no_more, wrong_word
from bot.commands._contract import Change
from services.domain.errors import UsageError

EXAMPLE = "rollback-db 20251201000900"
_VERSION = re.compile(r"[0-9]{14}\Z")
WITH_API = "--with-api"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`version`, and `with_api` ("yes") with `--with-api`: the API is stopped too."""
    rest = tuple(word for word in words if word != WITH_API)
    no_more(rest, 1)
    if not rest:
        raise UsageError("Which migration?", why="the version is missing", what_next=f"Write `{EXAMPLE}`.")
    if not _VERSION.match(rest[0]):
        raise wrong_word(rest[0], "is not a migration's version", "Write its 14 digits, as `migrations` shows them.")
    return {"version": rest[0]} | ({"with_api": "yes"} if len(rest) < len(words) else {})


COMMAND = Change(
    name="rollback-db",
    summary="take a migration back with its prepared and tested rollback",
    group="Changes",
    usage="<version> [--with-api]",
    examples=(EXAMPLE, f"{EXAMPLE} --dry-run"),
    parse=parse,
    risk="critical",
)
