"""`rollback <service|workers|all> [to <sha|deployment>]`: returns to an earlier deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands.arguments import example_of, no_more, only, parse_services, read_services, wrong_word
from bot.facts.plan import Parameters
from bot.facts.rollback import gather_rollback, read_offer
from bot.types import Answer
from bot.views.rollback import offer_answer
from playbooks import rollback as playbook
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.domain.errors import UsageError
from services.domain.services import is_sha

if TYPE_CHECKING:
    from bot.world import World


EXAMPLE = "rollback api to 8d02b64e"
_DEPLOYMENT = re.compile(r"[0-9a-z]+(?:-[0-9a-z]+){2,}\Z|[0-9a-f]{8}-[0-9a-f-]*\Z")  # a UUID or its prefix


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `service`, and `to` if a target is given. Raises UsageError."""
    service = parse_services(words, EXAMPLE)
    rest = words[2:] if words[1:2] and words[1].lower() == "to" else words[1:]
    if words[1:] and not rest:
        example = example_of(EXAMPLE, service)
        raise UsageError("To which commit?", why="nothing follows `to`", what_next=f"Write `{example}`.")
    no_more(rest, 1)
    return {"service": service} | ({"to": _parse_target(rest[0])} if rest else {})


def _parse_target(word: str) -> str:
    """Parse a commit SHA or a deployment's id to lower case. Raises UsageError."""
    target = word.lower()
    if is_sha(target) or _DEPLOYMENT.match(target):
        return target
    raise wrong_word(
        word,
        "is neither a commit nor a deployment",
        "Write 7 to 40 characters of the commit's SHA, or 8 or more of a deployment's id, as `deployments` shows them.",
    )


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `service` (one, `workers` or `all`) and `to` (a commit or a deployment)."""
    only(parameters, "service", "to")
    scope, services = read_services(parameters, world.system)
    written = parameters.get("to", "").strip()
    to = _parse_target(written) if written else None
    return playbook.plan(await gather_rollback(world, services), scope, services, to)


async def offer(parameters: Mapping[str, str], world: World) -> Answer | None:
    """Offer the candidates; None if a target is given or there are none, so that `plan` answers."""
    if "to" in parameters:
        return None
    scope = parameters["service"]
    found = await read_offer(scope, world)
    return offer_answer(scope, found) if found.candidates else None
