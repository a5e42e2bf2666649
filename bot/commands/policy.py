"""`policy explain <user> <command>`: may this person ask for it, or approve it, and by which rule?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.approvals.policy import RISKS, Right, Target
from bot.approvals.rights import Allowed, Verdict, judge
from bot.commands._arguments import parse_user, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._needs import need_desk
from bot.commands._verbs import Change, DeskCommand
from bot.settings import Invalid, require
from bot.views.policy import Ruling, policy_answer
from services.domain.errors import OperatorError, UsageError
from services.domain.runs import Person
from services.domain.services import find_services

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World

EXPLAIN = "explain"


async def answer_policy(request: Request, world: World, desk: Desk | None) -> Answer:
    user_id, change, words = parse(request.words)
    desk = need_desk(desk)
    if isinstance(desk.policy, Invalid):
        what_next = "`check-config` says what to mend."
        raise OperatorError("Nobody can change anything", why=desk.policy.why, what_next=what_next)
    parameters = change.parse(words)
    services = find_services(parameters.get("service", "")) or ()
    target = Target(change.name, frozenset(services), require(world.settings.identity).environment)
    people = await desk.people(user_id)
    team = request.actor.team_id if request.actor else people.workspace or ""
    verdicts = {right: judge(right, Person(user_id, team), target, desk.policy, people) for right in Right}
    rulings = [
        Ruling(right.value, isinstance(verdict, Allowed), _because(verdict)) for right, verdict in verdicts.items()
    ]
    line = " ".join([change.name, *words])
    return policy_answer(user_id, line, rulings, risk=RISKS[change.name], policy_hash=desk.policy.hash)


def parse(words: tuple[str, ...]) -> tuple[str, Change, tuple[str, ...]]:
    """The user's id, the change, and the words after its name."""
    from bot.commands._registry import find  # the registry imports this module

    usage = "Write `policy explain @ann rollback api`."
    if len(words) < 3 or words[0].lower() != EXPLAIN:
        raise UsageError("Explain what?", why="a person and a command are needed", what_next=usage)
    user_id = parse_user(words[1], usage)
    verb, rest = find(list(words[2:]))
    if not isinstance(verb, Change):
        raise wrong_word(verb.name, "changes nothing, so anybody may ask for it", usage)
    return user_id, verb, rest


def _because(verdict: Verdict) -> str:
    if isinstance(verdict, Allowed):
        return "; ".join((", ".join(verdict.rules), *verdict.notes))
    return verdict.sentence


COMMAND = DeskCommand(
    name="policy",
    is_read=True,
    summary="may this person ask for a change, or approve it, and by which rule",
    group="Configuration",
    handle=answer_policy,
    usage="explain <user> <command>",
    examples=("policy explain @ann rollback api",),
    private=True,
)
