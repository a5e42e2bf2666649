"""`deployments <service>`: the last ten, which one serves, and which ones could be rolled back to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import need_service, no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.views.deployments import deployments_answer
from bot.views.findings import unavailable_answer
from playbooks.checks.deployments import check
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from bot.facts import World

SHOWN = 10


async def answer_deployments(request: Request, world: World) -> Answer:
    service = need_service(request.words, "deployments api")
    no_more(request.words, 1)
    async with asyncio.TaskGroup() as reads:
        services = reads.create_task(world.railway_services())
        deployments = reads.create_task(world.deployments(service, limit=SHOWN))
    listed, states = deployments.result(), services.result()
    if isinstance(listed, Unavailable):
        return unavailable_answer(f"deployments of {service.short}", listed, private=False)
    state = None if isinstance(states, Unavailable) else states.get(service)
    findings = [finding for finding in check(states) if finding.service in (service, None)]
    return deployments_answer(service, findings, listed, state, now=datetime.now(UTC))


COMMAND = Command(
    name="deployments",
    summary="the last ten deployments of a service, and which one runs",
    group="Services",
    handle=answer_deployments,
    usage="<service>",
    examples=("deployments api",),
)
