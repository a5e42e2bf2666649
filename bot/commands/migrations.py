"""`migrations`: applied, pending, changed."""

from __future__ import annotations

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.views.migrations import migrations_answer
from playbooks import migrations
from services.domain.errors import Unavailable


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    status = await world.migrations()
    newest = () if isinstance(status, Unavailable) else migrations.newest(status)
    return migrations_answer(migrations.check(status), status, newest)


COMMAND = Command(
    name="migrations",
    summary="what the database has applied, what waits, what was changed afterwards",
    group="Configuration",
    handle=handle,
    usage="[--env <environment>]",
    examples=("migrations",),
)
