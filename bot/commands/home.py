"""Bare `/dragonfly`: the state in short, what waits for you, and which services are locked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import DeskCommand
from bot.commands._waiting import list_assignments, list_reviews, list_waiting
from bot.facts.gather import gather_health
from bot.facts.incidents import read_open_incidents
from bot.views.home import home_answer
from playbooks.health import report
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World


async def answer_home(request: Request, world: World, desk: Desk | None) -> Answer:
    no_more(request.words, 0)
    async with asyncio.TaskGroup() as reads:
        gathering = reads.create_task(gather_health(world))
        waiting = reads.create_task(list_waiting(request.actor, world, desk))
        unresolved = reads.create_task(read_open_incidents(world))
        reviews = reads.create_task(list_reviews(request.actor, world, desk))
    facts, incidents = gathering.result(), unresolved.result()
    shas = None
    if not isinstance(facts.services, Unavailable):
        serving = {service: state.serving for service, state in facts.services.items()}
        shas = {service: deployment.commit_sha if deployment else None for service, deployment in serving.items()}
    return home_answer(
        report(facts),
        shas,
        waiting=waiting.result(),
        reviews=reviews.result(),
        locks=facts.locks,
        incidents=incidents,
        assignments=await list_assignments(request.actor, incidents, desk),
        now=datetime.now(UTC),
    )


COMMAND = DeskCommand(
    name="home",
    is_read=True,
    summary="the state in short, open incidents, what waits for you, and locks; what a line without words shows",
    group="Start here",
    handle=answer_home,
    examples=("home",),
    private=True,
)
