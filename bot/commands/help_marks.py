"""Marks for help: the commands that the requester may not use, and the people who may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bot.approvals.access import Refused, judge_anywhere, who_could_anywhere
from bot.changes import CHANGES
from bot.commands.command import NO_MARKS, Marks
from bot.config.policy import DRILL, FREEZE, SILENCE, Policy, Right, Target
from bot.types import Request
from bot.views.text import code, escape
from services.domain.oncall import is_group
from services.domain.people import Person, outside_name

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.people import People
    from bot.world import World

MOST_NAMES = 4
_BEHIND = {"silence": SILENCE, "drill": DRILL, "freeze": FREEZE, "lock": FREEZE}  # {command: its name in the policy}
_APPROVING = ("approve", "review", "start-alone")  # need the right to approve any change


async def read_marks(request: Request, world: World, approval_service: ApprovalService | None) -> Marks:
    """Read the requester's marks. Empty on a terminal, which has no requester, and while the policy is unusable."""
    actor = request.actor
    if actor is None or approval_service is None or not isinstance(approval_service.policy, Policy):
        return NO_MARKS
    people = await approval_service.people(actor.user_id)
    person, environment = Person(actor.user_id, actor.team_id), world.settings.environment or ""
    return marks_of(person, environment, approval_service.policy, people, world.name_of)


def marks_of(person: Person, environment: str, policy: Policy, people: People, name_of: Callable[[str], str]) -> Marks:
    """Mark the commands that the person may use in no channel and at no hour."""
    wanted = {name: (Right.REQUEST, [name]) for name in CHANGES}
    wanted |= {name: (Right.REQUEST, [verb]) for name, verb in _BEHIND.items()}
    wanted |= {name: (Right.APPROVE, list(CHANGES)) for name in _APPROVING}
    found = {}
    for name, (right, verbs) in wanted.items():
        targets = [Target(verb, frozenset(), environment, any_moment=True) for verb in verbs]
        if all(isinstance(judge_anywhere(right, person, one, policy, people), Refused) for one in targets):
            could = [one for target in targets for one in who_could_anywhere(right, target, policy, people)]
            found[name] = _names(dict.fromkeys(could), name_of)
    return found


def _names(ids: Iterable[str], name_of: Callable[[str], str]) -> str:
    """Names without mentions, because help must not notify."""
    shown = list(dict.fromkeys(_name(one, name_of) for one in ids))
    more = len(shown) - MOST_NAMES
    return ", ".join([*shown[:MOST_NAMES], *([f"{more} more"] if more > 0 else [])]) or "no one"


def _name(one: str, name_of: Callable[[str], str]) -> str:
    name = outside_name(one) or name_of(one)
    return escape(name, limit=60) if name else code(f"{'group ' if is_group(one) else ''}{one}")
