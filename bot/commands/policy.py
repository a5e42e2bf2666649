"""`policy explain <user> <command>`: may this person ask for it, or approve it, and by which rule?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.approvals.people import People
from bot.approvals.policy import RISKS, Policy, Right, Target
from bot.approvals.rights import Allowed, Verdict, judge
from bot.commands._arguments import parse_user, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._needs import need_desk
from bot.commands._verbs import Change, DeskCommand
from bot.settings import Invalid, require
from bot.views.policy import Ruling, of_them, policy_answer
from services.domain.errors import OperatorError, UsageError
from services.domain.runs import Person
from services.domain.services import Service, find_services

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
    services = named_services(change, words)
    people = await desk.people(user_id)
    team = request.actor.team_id if request.actor else people.workspace or ""
    asked = _Asked(
        Person(user_id, team), change.name, require(world.settings.identity).environment, desk.policy, people
    )
    is_asker = request.actor is not None and request.actor.user_id == user_id
    rulings = [one for right in Right for one in _rulings(asked, right, services, is_asker=is_asker)]
    line = " ".join([change.name, *words])
    return policy_answer(user_id, line, rulings, risk=RISKS[change.name], policy_hash=desk.policy.hash)


def named_services(change: Change, words: tuple[str, ...]) -> frozenset[Service] | None:
    """The services that the words name, none for a change that touches none; None when they leave it open."""
    if not words and change.usage.startswith("<service"):
        return None
    named = find_services(words[0]) if words else None
    return frozenset(named or find_services(change.parse(words).get("service", "")) or ())


@dataclass(frozen=True)
class _Asked:
    person: Person
    playbook: str
    environment: str
    policy: Policy
    people: People

    def judge(self, right: Right, services: frozenset[Service]) -> Verdict:
        return judge(right, self.person, Target(self.playbook, services, self.environment), self.policy, self.people)


def _rulings(asked: _Asked, right: Right, services: frozenset[Service] | None, *, is_asker: bool) -> Iterator[Ruling]:
    """One for the services together; one for each where they are not named and differ."""
    if services is not None:
        yield _ruling(right, asked.judge(right, services), is_asker=is_asker)
        return
    verdicts = {service: asked.judge(right, frozenset({service})) for service in Service}
    allowed = {isinstance(verdict, Allowed) for verdict in verdicts.values()}
    if len(allowed) > 1:
        for service, verdict in verdicts.items():
            yield _ruling(right, verdict, is_asker=is_asker, service=service.short)
    else:
        together = frozenset(Service) if allowed == {True} else frozenset[Service]()
        yield _ruling(right, asked.judge(right, together), is_asker=is_asker, service="every service")


def _ruling(right: Right, verdict: Verdict, *, is_asker: bool, service: str = "") -> Ruling:
    because = _because(verdict)
    return Ruling(right.value, isinstance(verdict, Allowed), because if is_asker else of_them(because), service)


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
    examples=("policy explain @ann rollback api", "policy explain @ann deploy"),
    private=True,
)
