"""`deploy <service|all> <sha>`: deploy one commit, named explicitly."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import no_more, parse_sha
from bot.commands._targets import parse_services
from bot.commands._verbs import Change
from services.domain.errors import UsageError

EXAMPLE = "deploy api 8d02b64e"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, `sha`."""
    service = parse_services(words, EXAMPLE)
    no_more(words, 2)
    if len(words) < 2:
        raise UsageError("Which commit?", why="a deploy names its commit", what_next=f"Write `{EXAMPLE}`.")
    return {"service": service, "sha": parse_sha(words[1])}


COMMAND = Change(
    name="deploy",
    summary="build and deploy one commit, pending migrations shown first",
    group="Changes",
    usage="<service|all> <sha>",
    examples=(EXAMPLE, "deploy all 8d02b64e --dry-run"),
    parse=parse,
    risk="high",
)
