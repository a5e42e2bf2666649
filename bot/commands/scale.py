"""`scale <service> <n>`: run more or fewer replicas."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import need_service, no_more
from bot.commands._targets import parse_replicas
from bot.commands._verbs import Change
from playbooks.scale import MOST_REPLICAS
from services.domain.errors import UsageError

EXAMPLE = "scale ingest 2"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, `to`."""
    service = need_service(words, EXAMPLE)
    no_more(words, 2)
    if len(words) < 2:
        raise UsageError("To how many?", why="the number of replicas is missing", what_next=f"Write `{EXAMPLE}`.")
    return {"service": service.short, "to": parse_replicas(words[1], largest=MOST_REPLICAS)}


COMMAND = Change(
    name="scale",
    summary="run more or fewer replicas of a service, one more at a time, watched",
    group="Changes",
    usage="<service> <n>",
    examples=(EXAMPLE, "scale ingest 0 --dry-run"),
    parse=parse,
    risk="low for one more replica, otherwise high",
)
