"""`heartbeats [service]`: every worker, its beat, its job and its commit."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._arguments import no_more, parse_service, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.gather import gather_heartbeats
from bot.views.heartbeats import heartbeats_answer
from playbooks import heartbeats
from services.domain.services import WORKERS, Service


async def handle(request: Request, world: World) -> Answer:
    services = parse(request.words)
    facts = await gather_heartbeats(world)
    return heartbeats_answer(
        heartbeats.check(facts, services),
        heartbeats.list_workers(facts, services),
        moment=facts.as_of,
        stale_after=facts.stale_after,
        stopped=heartbeats.stopped_count(facts, services),
    )


def parse(words: Sequence[str]) -> tuple[Service, ...]:
    """One worker service, or all of them."""
    no_more(words, 1)
    if not words or words[0].lower() in ("workers", "all"):
        return WORKERS
    service = parse_service(words[0])
    if service.worker_type is None:
        raise wrong_word(words[0], "has no heartbeat", "Workers are `ingest` and `enforcement`; try `health`.")
    return (service,)


COMMAND = Command(
    name="heartbeats",
    summary="every worker: last heartbeat, status, job, commit; problems first",
    group="Services",
    handle=handle,
    usage="[service]",
    examples=("heartbeats", "heartbeats ingest"),
)
