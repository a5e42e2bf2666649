"""`security-audit`: is the database closed to everybody but our own roles?"""

from __future__ import annotations

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.checks import read_exposures
from bot.views.findings import findings_answer
from playbooks import security_audit


async def handle(request: Request, world: World) -> Answer:
    """For the asker alone: it says what is not protected."""
    no_more(request.words, 0)
    return findings_answer("security audit", security_audit.check(await read_exposures(world)), private=True)


COMMAND = Command(
    name="security-audit",
    summary="grants, row-level security, functions, default privileges and logins",
    group="Configuration",
    handle=handle,
    usage="[--env <environment>]",
    examples=("security-audit",),
    private=True,
)
