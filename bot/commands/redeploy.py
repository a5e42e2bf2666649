"""`redeploy <service>`: deploy what runs again, with its current variables."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import need_service, no_more
from bot.commands._verbs import Change


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`."""
    service = need_service(words, "redeploy api")
    no_more(words, 1)
    return {"service": service.short}


COMMAND = Change(
    name="redeploy",
    summary="deploy what runs again, with its current variables",
    group="Changes",
    usage="<service>",
    examples=("redeploy api",),
    parse=parse,
    risk="high",
)
