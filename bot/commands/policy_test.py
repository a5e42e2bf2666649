"""`policy test <file>`: tests the policy against a file of expectations; on a terminal, without Slack."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.approvals.access import Allowed, Refused, judge
from bot.changes import Change
from bot.commands.registry import find
from bot.config.environment import require
from bot.config.fields import Invalid
from bot.config.policy import Policy, Right, Severities, Target
from bot.config.policy_file import load_policy
from bot.config.toml_lines import TomlLines, decode_toml
from bot.people import Account, Members, People
from bot.types import Answer
from bot.views.blocks import context, fit_message, section, sections
from bot.views.text import code, escape
from playbooks.model import Status
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.incidents import IncidentSeverity
from services.domain.people import Person, Profile
from services.domain.services import Service
from services.domain.systems import System
from services.domain.text import counted

if TYPE_CHECKING:
    from bot.world import World

TEAM = "expected"  # team id of everyone in the file, as members of the workspace
KEYS = frozenset({"who", "may", "command", "allowed", "line", "channel", "at", "environment", "severity"})
NEED = "Write who, may, command and allowed; line, channel, at, environment and severity are optional."
SEVERITIES: Mapping[str, IncidentSeverity | Unavailable | None] = {
    "none": None,
    "unknown": Unavailable("database", "the file says so"),
    **{one.value: one for one in IncidentSeverity},
}


@dataclass(frozen=True)
class Expectation:
    """One `[[expect]]` table. `place`: its line. `line`: line of the rule that must decide, if given."""

    place: int
    who: str
    right: Right
    command: str
    allowed: bool
    line: int | None
    channel: str | None
    at: datetime
    environment: str
    severity: str = "none"


def answer_policy_test(words: Sequence[str], world: World) -> Answer:
    """Show the failed expectations; the exit code is 1 if there are any. Raises UsageError for an invalid file."""
    if len(words) != 1:
        raise UsageError("Which file?", why="one path is needed", what_next="Write `policy test expectations.toml`.")
    policy = load_policy(world.settings.people)
    if isinstance(policy, Invalid):
        raise OperatorError("Nothing was tested", why=policy.why, what_next="`check-config` shows what to fix.")
    expectations, groups = read_expectations(_read(words[0]), require(world.settings.identity).environment)
    failed = [line for one in expectations if (line := _try(one, policy, groups, world.system)) is not None]
    return _answer(expectations, failed, policy)


def read_expectations(text: str, environment: str) -> tuple[Sequence[Expectation], Mapping[str, frozenset[str]]]:
    """Parse the expectations and the members, `{group: user ids}`. Raises UsageError with the line of a mistake."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError("Nothing was tested", why=f"the file is not TOML: {error}", what_next=NEED) from None
    lines, tables = TomlLines(text), document.get("expect", [])
    if not tables or not isinstance(tables, list):
        raise UsageError("Nothing was tested", why="the file has no expectations", what_next="Add [[expect]] tables.")
    groups = {name: frozenset(map(str, users)) for name, users in document.get("groups", {}).items()}
    now = datetime.now(UTC)
    found = [_expectation(table, lines.find("expect", n) or 0, environment, now) for n, table in enumerate(tables)]
    return found, groups


def _read(path: str) -> str:
    try:
        return decode_toml(Path(path).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        why = f"{path} cannot be read ({type(error).__name__})"
        raise UsageError("Nothing was tested", why=why, what_next="Correct the path.") from None


def _expectation(table: Mapping[str, Any], place: int, environment: str, now: datetime) -> Expectation:
    at, line = table.get("at", now), table.get("line")
    fits = (
        table.keys() <= KEYS
        and all(isinstance(table.get(name), str) for name in ("who", "command"))
        and table.get("may") in tuple(Right)
        and isinstance(table.get("allowed"), bool)
        and (line is None or isinstance(line, int))
        and isinstance(at, datetime)
        and table.get("severity", "none") in SEVERITIES
    )
    if not fits:
        raise UsageError("Nothing was tested", why=f"the expectation on line {place} is malformed", what_next=NEED)
    return Expectation(
        place=place,
        who=table["who"],
        right=Right(table["may"]),
        command=table["command"],
        allowed=table["allowed"],
        line=line,
        channel=table.get("channel"),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        environment=table.get("environment", environment),
        severity=table.get("severity", "none"),
    )


def _try(one: Expectation, policy: Policy, groups: Mapping[str, frozenset[str]], system: System) -> str | None:
    """Describe how the verdict differs from the expectation; None if it does not."""
    known = {name: Members(groups.get(name, frozenset()), timedelta()) for name in policy.groups}
    people = People(TEAM, known, {one.who: Account(Profile(team_id=TEAM))})
    verdict = judge(one.right, Person(one.who, TEAM), _target(one, system), policy, people)
    decided = _decided(verdict)
    is_so = isinstance(verdict, Allowed) is one.allowed
    if is_so and (one.line is None or f"line {one.line}" in _lines(verdict)):
        return None
    expected = f"{'allowed' if one.allowed else 'refused'}{f' by line {one.line}' if one.line else ''}"
    asked = f"{one.who} may {one.right.value} {one.command}"
    return f"🔴 line {one.place}: {code(asked, limit=200)}: expected {expected}, is {escape(decided)}"


def _lines(verdict: Allowed | Refused) -> Sequence[str]:
    return verdict.rules if isinstance(verdict, Allowed) else [verdict.why.partition("(")[2].partition(")")[0]]


def _decided(verdict: Allowed | Refused) -> str:
    return f"allowed by {', '.join(verdict.rules)}" if isinstance(verdict, Allowed) else f"refused: {verdict.why}"


def _target(one: Expectation, system: System) -> Target:
    verb, words = find(one.command.split())
    parameters = verb.parse(words) if isinstance(verb, Change) else None
    services: frozenset[Service] = frozenset()
    if parameters is not None:
        services = frozenset(system.find_services(parameters.get("service", "")) or ())
    incidents = _incidents(one.severity, services)
    return Target(verb.name, services, one.environment, one.channel, one.at, parameters, incidents=incidents)


def _incidents(severity: str, services: frozenset[Service]) -> Severities | Unavailable:
    """Severities as if one incident, confirmed by others, were open for all services; "none": no incident."""
    meant = SEVERITIES[severity]
    if meant is None or isinstance(meant, Unavailable):
        return meant or Severities({}, {})
    severities = dict.fromkeys((None, *services), meant)
    return Severities(severities, severities)


def _answer(expectations: Sequence[Expectation], failed: Sequence[str], policy: Policy) -> Answer:
    met = len(expectations) - len(failed)
    sign = "🔴" if failed else "✅"
    first = f"{sign} *{met} of {counted(len(expectations), 'expectation')} met*"
    blocks = [section(first), *sections(failed), context(f"policy `{policy.hash[:12]}`")]
    data = {"expectations": len(expectations), "failed": list(failed), "policy": policy.hash}
    status = Status.FAIL if failed else Status.OK
    return Answer(*fit_message("\n".join([first, *failed]), blocks), data, status, private=True)
