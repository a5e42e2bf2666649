"""`rollback <service|workers|all> [to <sha|deployment>]`: go back to an earlier deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more, only, parse_services, parse_target, read_services, read_target
from bot.facts import Parameters
from bot.rollback_offer import gather_rollback, read_offer
from bot.types import Answer
from bot.views.rollback import offer_answer
from playbooks import rollback as playbook
from playbooks.model import NoPlan, Plan
from services.domain.errors import UsageError

if TYPE_CHECKING:
    from bot.world import World


EXAMPLE = "rollback api to 8d02b64e"


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`service`, and `to` unless the offer of candidates is wanted."""
    service = parse_services(words, EXAMPLE)
    rest = words[2:] if words[1:2] and words[1].lower() == "to" else words[1:]
    if words[1:] and not rest:
        raise UsageError("To which commit?", why="nothing follows `to`", what_next=f"Write `{EXAMPLE}`.")
    no_more(rest, 1)
    return {"service": service} | ({"to": parse_target(rest[0])} if rest else {})


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """`service` (one, `workers` or `all`), `to` (a commit or a deployment); without `to` the answer is an offer."""
    only(parameters, "service", "to")
    scope, services = read_services(parameters)
    to = read_target(parameters, "to")
    return playbook.plan(await gather_rollback(world, services), scope, services, to)


async def offer(parameters: Mapping[str, str], world: World) -> Answer | None:
    """The candidates, when no target is named and there are any; what the playbook says of them otherwise."""
    if "to" in parameters:
        return None
    scope = parameters["service"]
    found = await read_offer(scope, world)
    return offer_answer(scope, found) if found.candidates else None
