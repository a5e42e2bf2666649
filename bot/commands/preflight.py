"""`preflight`: the runbook's checklist before a deploy, box by box."""

from __future__ import annotations

from pathlib import Path

from bot.commands.arguments import no_more
from bot.facts import gather_preflight
from bot.types import Answer, Request, Surface
from bot.views.findings import findings_answer
from bot.world import World
from playbooks import preflight


async def handle(request: Request, world: World) -> Answer:
    """For the asker alone: the security audit says what is not protected. In Slack nobody has a checkout."""
    no_more(request.words, 0)
    directory = Path.cwd() if request.surface is Surface.TERMINAL else None
    findings = preflight.check(await gather_preflight(world, directory))
    return findings_answer("preflight", findings, private=True)
