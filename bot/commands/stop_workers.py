"""`stop-workers [ingest|enforcement] [reason]`: stop them now; nobody is asked first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands._arguments import wrong_word
from bot.commands._contract import Answer
from bot.commands._targets import parse_reason
from bot.commands._verbs import Change
from bot.views.stop_workers import presets_answer
from services.domain.services import Service, find_service

if TYPE_CHECKING:
    from bot.facts import World

EXAMPLE = "stop-workers ingest wrong amounts"
BOTH = "workers"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service` (one of the workers, or `workers`), and `reason` unless presets are to be offered."""
    service, rest = split(words)
    return {"service": service} | ({"reason": parse_reason(rest, EXAMPLE)} if rest else {})


async def offer(parameters: Mapping[str, str], world: World) -> Answer | None:  # noqa: ARG001 - nothing is read
    """Presets as buttons, where no modal can open: a mention in a thread, say. None when there is a reason."""
    return None if "reason" in parameters else presets_answer(parameters["service"])


def split(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Which workers, and the words of the reason, which may be missing."""
    if words and words[0].lower() in (BOTH, "all"):
        return BOTH, words[1:]
    service = find_service(words[0]) if words else None
    if service is Service.API:
        raise wrong_word(words[0], "is no worker", f"Write `{EXAMPLE}`, or leave the service out for both workers.")
    return (service.short, words[1:]) if service else (BOTH, words)


COMMAND = Change(
    name="stop-workers",
    keeps_words=True,
    summary="break-glass: stop the workers at once; nobody is asked first, everybody is told",
    group="Changes",
    usage="[ingest|enforcement] [reason]",
    examples=("stop-workers", EXAMPLE),
    parse=parse,
    risk="break-glass",
    offer=offer,
)
