"""`restart <service> [--through-zero]`: restart what runs, without a build."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import need_service, no_more
from bot.commands._verbs import Change

THROUGH_ZERO = "--through-zero"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, and `through_zero` ("yes") with `--through-zero`."""
    rest = tuple(word for word in words if word != THROUGH_ZERO)
    service = need_service(rest, "restart ingest")
    no_more(rest, 1)
    return {"service": service.short} | ({"through_zero": "yes"} if len(rest) < len(words) else {})


COMMAND = Change(
    name="restart",
    summary="restart what runs, without a build; `--through-zero` stops everything first",
    group="Changes",
    usage="<service> [--through-zero]",
    examples=("restart ingest", "restart ingest --through-zero"),
    parse=parse,
    risk="low",
)
