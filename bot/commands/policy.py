"""`policy explain <user> <command>`: shows whether a person may request or approve a command, and by which rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.approvals.access import Allowed, Verdict, judge
from bot.changes import Change
from bot.commands.arguments import parse_user, wrong_word
from bot.commands.context import need_approval_service
from bot.commands.policy_test import answer_policy_test
from bot.commands.registry import find
from bot.config.environment import require
from bot.config.fields import Invalid
from bot.config.policy import Policy, Right, Severities, Target
from bot.people import People
from bot.types import Answer, Request, Surface
from bot.views.blocks import context, fit_message, section, sections
from bot.views.plan import NEEDS
from bot.views.terminal import mrkdwn_text
from bot.views.text import code
from playbooks.model import Risk
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.people import Person
from services.domain.services import Service
from services.domain.systems import System

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World


_OF_THEM = tuple(
    (re.compile(pattern, re.IGNORECASE), meant)
    for pattern, meant in (
        (r"\b(allow|includes) you\b", r"\1 them"),
        (r"\byours\b", "theirs"),
        (r"\byour\b", "their"),
        (r"\byou\b", "they"),
    )
)


@dataclass(frozen=True)
class Ruling:
    """The policy's verdict on one right. `right`: "request" or "approve". `because`: our own mrkdwn, the rules or the
    refusal's sentence. `service`: its name, or "every service"; empty if the command names it."""

    right: str
    allowed: bool
    because: str
    service: str = ""


def policy_answer(user_id: str, line: str, rulings: Sequence[Ruling], *, risk: Risk, policy_hash: str) -> Answer:
    """One line per ruling. `line`: the command as typed."""
    first = f"*<@{user_id}>* and {code(line, limit=200)}"
    lines = [_line(one) for one in rulings]
    notes = (f"at most {NEEDS[risk]}", "requesters never approve their own requests", f"policy `{policy_hash[:12]}`")
    data = {
        "user": user_id,
        "command": line,
        "risk": risk.value,
        "policy": policy_hash,
        **{_key(one): {"allowed": one.allowed, "because": mrkdwn_text(one.because)} for one in rulings},
    }
    blocks = [section(first), *sections(lines), context(*notes)]
    return Answer(*fit_message(f"{first}: {'; '.join(lines)}", blocks), data, private=True)


def of_them(sentence: str) -> str:
    """Change a refusal's sentence about "you" into one about another person."""
    for pattern, meant in _OF_THEM:
        sentence = pattern.sub(meant, sentence)
    return sentence[:1].upper() + sentence[1:]


def _line(one: Ruling) -> str:
    about = f" for {one.service}" if one.service else ""
    return f"{'✅ may' if one.allowed else '🔴 may not'} {one.right}{about}: {one.because}"


def _key(one: Ruling) -> str:
    return one.right if one.service in ("", "every service") else f"{one.right} {one.service}"


EXPLAIN, TEST = "explain", "test"


async def answer_policy(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    if request.words and request.words[0].lower() == TEST:
        if request.surface is not Surface.TERMINAL or request.actor is not None:  # a machine must not read files here
            raise wrong_word(TEST, "reads a file, on the terminal only", "Run `dragonfly policy test` there.")
        return answer_policy_test(request.words[1:], world)
    user_id, change, words = parse(request.words)
    approval_service = need_approval_service(approval_service)
    if isinstance(approval_service.policy, Invalid):
        what_next = "`check-config` shows what to fix."
        raise OperatorError("Changes are disabled", why=approval_service.policy.why, what_next=what_next)
    services = named_services(change, words, world.system)
    people = await approval_service.people(user_id)
    team = request.actor.team_id if request.actor else people.workspace or ""
    person, environment = Person(user_id, team), require(world.settings.identity).environment
    asked = _Asked(
        person,
        change.name,
        environment,
        approval_service.policy,
        people,
        world.system,
        request.channel_id,
        _parameters(change, words),
        await approval_service.severities(approval_service.policy, change.name, environment, person),
    )
    is_requester = request.actor is not None and request.actor.user_id == user_id
    rulings = [one for right in Right for one in _rulings(asked, right, services, is_requester=is_requester)]
    line = " ".join([change.name, *words])
    return policy_answer(user_id, line, rulings, risk=change.risk, policy_hash=approval_service.policy.hash)


def named_services(change: Change, words: tuple[str, ...], system: System) -> frozenset[Service] | None:
    """The services that the words name, empty for a change of none; None if the words leave them open."""
    if not words and change.usage.startswith("<service"):
        return None
    named = system.find_services(words[0]) if words else None
    return frozenset(named or system.find_services(change.parse(words).get("service", "")) or ())


def _parameters(change: Change, words: tuple[str, ...]) -> Mapping[str, str] | None:
    """The change's parameters, which rules may limit; None if the words are incomplete."""
    try:
        parameters: Mapping[str, str] = change.parse(words)
    except UsageError:
        return None
    return parameters


@dataclass(frozen=True)
class _Asked:
    person: Person
    playbook: str
    environment: str
    policy: Policy
    people: People
    system: System
    channel: str | None
    parameters: Mapping[str, str] | None
    incidents: Severities | Unavailable | None

    def judge(self, right: Right, services: frozenset[Service]) -> Verdict:
        """Judge as if it were requested in this channel now."""
        target = Target(
            *(self.playbook, services, self.environment),
            *(self.channel, datetime.now(UTC), self.parameters),
            incidents=self.incidents,
        )
        return judge(right, self.person, target, self.policy, self.people)


def _rulings(
    asked: _Asked, right: Right, services: frozenset[Service] | None, *, is_requester: bool
) -> Iterator[Ruling]:
    """One ruling for all services; one per service if none is named and the verdicts differ."""
    if services is not None:
        yield _ruling(right, asked.judge(right, services), is_requester=is_requester)
        return
    verdicts = {service: asked.judge(right, frozenset({service})) for service in asked.system.services}
    allowed = {isinstance(verdict, Allowed) for verdict in verdicts.values()}
    if len(allowed) > 1:
        for service, verdict in verdicts.items():
            yield _ruling(right, verdict, is_requester=is_requester, service=service.short)
    else:
        together = frozenset(asked.system.services) if allowed == {True} else frozenset[Service]()
        yield _ruling(right, asked.judge(right, together), is_requester=is_requester, service="every service")


def _ruling(right: Right, verdict: Verdict, *, is_requester: bool, service: str = "") -> Ruling:
    because = _because(verdict)
    return Ruling(right.value, isinstance(verdict, Allowed), because if is_requester else of_them(because), service)


def parse(words: tuple[str, ...]) -> tuple[str, Change, tuple[str, ...]]:
    """Parse the user's id, the change, and the words after its name. Raises UsageError."""
    usage = "Write `policy explain @ann rollback api`."
    if len(words) < 3 or words[0].lower() != EXPLAIN:
        raise UsageError("Explain what?", why="a person and a command are needed", what_next=usage)
    user_id = parse_user(words[1], usage)
    verb, rest = find(list(words[2:]))
    if not isinstance(verb, Change):
        raise wrong_word(verb.name, "changes nothing, so everyone can run it", usage)
    return user_id, verb, rest


def _because(verdict: Verdict) -> str:
    if isinstance(verdict, Allowed):
        return "; ".join((", ".join(verdict.rules), *verdict.notes))
    return verdict.sentence
