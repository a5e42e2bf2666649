"""`rollback-db <version>`: take a migration back with its prepared rollback."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import no_more
from bot.commands._targets import parse_version
from bot.commands._verbs import Change
from services.domain.errors import UsageError

EXAMPLE = "rollback-db 20251202009900"
WITH_API = "--with-api"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`version`, and `with_api` ("yes") with `--with-api`: the API is stopped too."""
    rest = tuple(word for word in words if word != WITH_API)
    no_more(rest, 1)
    if not rest:
        raise UsageError("Which migration?", why="the version is missing", what_next=f"Write `{EXAMPLE}`.")
    return {"version": parse_version(rest[0])} | ({"with_api": "yes"} if len(rest) < len(words) else {})


COMMAND = Change(
    name="rollback-db",
    summary="take a migration back with its prepared and tested rollback",
    group="Changes",
    usage="<version> [--with-api]",
    examples=(EXAMPLE, f"{EXAMPLE} --dry-run"),
    parse=parse,
    risk="critical",
)
