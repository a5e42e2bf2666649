"""`check-config`: are the bot's own settings complete, and do its sources answer?"""

from __future__ import annotations

from bot.commands._arguments import no_more
from bot.commands._contract import Answer, Request
from bot.commands._verbs import Command
from bot.facts import World
from bot.facts.gather import gather_config
from bot.views.check_config import check_config_answer
from playbooks import check_config


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    return check_config_answer(check_config.check(await gather_config(world)))


COMMAND = Command(
    name="check-config",
    summary="the bot's own settings, and the commands that a missing one disables",
    group="Configuration",
    handle=handle,
    usage="[--env <environment>]",
    examples=("check-config",),
    private=True,
)
