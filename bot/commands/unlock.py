"""`unlock <service> <reason>`: lift the lock and the freeze that a rollback left."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import need_service
from bot.commands._targets import parse_reason
from bot.commands._verbs import Change

EXAMPLE = "unlock api fixed in 9f8e7d6c"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, `reason`."""
    service = need_service(words, EXAMPLE)
    return {"service": service.short, "reason": parse_reason(words[1:], EXAMPLE)}


COMMAND = Change(
    name="unlock",
    summary="lift the lock and the frozen auto-deploy that a rollback left",
    group="Changes",
    usage="<service> <reason>",
    examples=(EXAMPLE,),
    parse=parse,
    risk="low",
)
