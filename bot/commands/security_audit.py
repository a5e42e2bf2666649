"""`security-audit`: is the database closed to everybody but our own roles?"""

from __future__ import annotations

from bot.commands.arguments import no_more
from bot.types import Answer, Request
from bot.views.findings import findings_answer
from bot.world import World
from playbooks.checks import security
from services.clients.postgres.operated import list_exposures


async def handle(request: Request, world: World) -> Answer:
    """For the asker alone: it says what is not protected."""
    no_more(request.words, 0)
    return findings_answer("security audit", security.check(await world.read(list_exposures)), private=True)
