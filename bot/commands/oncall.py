"""`oncall`: who is paged when something is wrong. `oncall override`: puts a substitute on call.

`oncall take`: the substitute confirms it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.approvals.access import Refused
from bot.commands.arguments import no_more, parse_user, read_number, take_window
from bot.commands.context import ON_CALL, need_incident_service
from bot.facts import gather_oncall, usable_schedule
from bot.incidents.overrides import SlackOnly
from bot.types import Answer, Block, Request
from bot.views.blocks import context, fit_message, section, sections
from bot.views.findings import SIGN, finding_data, finding_line
from bot.views.overrides import slack_only_answer
from bot.views.runs import refused_answer
from bot.views.terminal import mrkdwn_text
from bot.views.text import date_token, escape, mention
from playbooks.checks import oncall
from playbooks.checks.oncall import Facts
from playbooks.model import Finding, Status, worst
from services.domain.channels import Channel
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.oncall import KnownOverrides, Level, OnCallPerson, Override, Schedule, is_group, on_call, targets
from services.domain.rotations import next_handover
from services.domain.text import age

if TYPE_CHECKING:
    from bot.incidents.service import IncidentService
    from bot.world import World


NO_FILE = Finding(
    "oncall.schedule",
    Status.WARN,
    "there is no on-call file",
    "incidents page the approvers, in Slack only; see oncall.example.toml and DRAGONFLY_ONCALL",
)


def oncall_answer(facts: Facts, findings: Sequence[Finding], known: KnownOverrides) -> Answer:
    """`findings`: of `playbooks.checks.oncall.check`; what is fine is not repeated."""
    findings = [NO_FILE] if facts.schedule is None else findings
    loud = [finding_line(finding) for finding in findings if finding.status is not Status.OK]
    schedule = facts.schedule if isinstance(facts.schedule, Schedule) else None
    overrides = () if isinstance(known.rows, Unavailable) else known.rows
    levels = _levels(schedule, facts.now, overrides) if schedule else []
    first = f"{SIGN[worst(findings)]} *On call* · {levels[0] if levels else 'no one is named'}"
    lines = [first, *levels[1:], *_standing_in(overrides, facts.now), *loud]
    blocks: list[Block] = [section(lines[0]), *sections(lines[1:]), context(*_notes(facts, known))]
    data = finding_data("on call", findings) | {
        "levels": _data(schedule, facts.now, overrides) if schedule else [],
        "overrides_age_s": round(known.age.total_seconds()),
    }
    return Answer(*fit_message("\n".join(lines), blocks), data, worst(findings), private=True)


def notice_answer(words: str) -> Answer:
    """Who stands in from now on; `words` are our own mrkdwn."""
    return Answer(*fit_message(words, [section(words)]), {"told": mrkdwn_text(words)}, private=True)


def _levels(schedule: Schedule, now: datetime, overrides: Sequence[Override]) -> list[str]:
    return [
        f"{number}. {_who(schedule, level, now, overrides)}"
        f"{_ways(schedule, level, now, overrides)} · waits {age(level.wait)}"
        for number, level in enumerate(schedule.levels, start=1)
    ]


def _who(schedule: Schedule, level: Level, now: datetime, overrides: Sequence[Override]) -> str:
    people = [mention(person.slack) for person in on_call(schedule, level, now, overrides)]
    groups = [mention(call) for call in level.calls if is_group(call)]
    pagers = [escape(name, limit=100) for name in (level.webhook, level.email) if name]
    handovers = [next_handover(schedule.rotations[call], now) for call in level.calls if call in schedule.rotations]
    until = f" (next handover {date_token(min(handovers))})" if handovers else ""
    return (", ".join([*people, *groups, *pagers]) or "*no one*") + until


def _ways(schedule: Schedule, level: Level, now: datetime, overrides: Sequence[Override]) -> str:
    ways = {target.channel for target in targets(schedule, level, now, overrides)}
    return " · " + ", ".join(channel.words for channel in Channel if channel in ways) if ways else ""


def _standing_in(overrides: Sequence[Override], now: datetime) -> list[str]:
    return [
        f"{mention(one.user_id)} covers {escape(one.rotation, limit=100)} "
        f"{'' if one.holds(now) else f'from {date_token(one.begins_at)} '}until {date_token(one.ends_at)}"
        f"{'' if one.confirmed_at else ' · not confirmed yet'}"
        for one in overrides
    ]


def _notes(facts: Facts, known: KnownOverrides) -> list[str]:
    if known.problem is None:
        return [f"as of {date_token(facts.now)}"]
    why = escape(known.problem.why, limit=200)
    if isinstance(known.rows, Unavailable):
        return [f"from the file alone: overrides are unknown ({why})"]
    return [f"the overrides are {age(known.age)} old ({why})"]


def _data(schedule: Schedule, now: datetime, overrides: Sequence[Override]) -> list[dict[str, object]]:
    def shown(person: OnCallPerson) -> dict[str, str]:
        return {"name": person.name, "slack": person.slack}

    return [
        {
            "calls": list(level.calls),
            "on_call": [shown(person) for person in on_call(schedule, level, now, overrides)],
            "by": sorted(level.by),
            "wait_s": level.wait.total_seconds(),
        }
        for level in schedule.levels
    ]


USAGE = "Write `oncall override @ben 2h primary`, or `oncall override end primary`."
SLACK_ONLY = "--slack-only"  # the level may lose its last phone
LONGEST = timedelta(days=31)  # longer, and the file is what has to change


async def answer_oncall(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts, known = await gather_oncall(world)
    return oncall_answer(facts, oncall.check(facts), known)


async def answer_override(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    schedule = usable_schedule(world)
    if not isinstance(schedule, Schedule):
        why = schedule.why if schedule else "there is no on-call file"
        raise OperatorError("The override was not made", why=why, what_next="Fix it; `check-config` names the line.")
    words = tuple(word for word in request.words if word != SLACK_ONLY)
    rotation, user_id, span = parse_override(words, tuple(schedule.rotations))
    outcome = await need_incident_service(incident_service).override(
        request, rotation=rotation, user_id=user_id, span=span, slack_only=len(words) < len(request.words)
    )
    if isinstance(outcome, SlackOnly):
        line = f"oncall override {user_id} {round(span.total_seconds())}s {rotation} {SLACK_ONLY}"
        return slack_only_answer(str(user_id), outcome.levels, line)
    return refused_answer(outcome.sentence, ON_CALL) if isinstance(outcome, Refused) else notice_answer(outcome)


async def answer_take(request: Request, world: World, incident_service: IncidentService | None) -> Answer:  # noqa: ARG001 - as the others
    no_more(request.words, 1)
    number = read_number(request.words[0]) if request.words else None
    if number is None:
        what_next = "Press *I take it* in the message that put you on call."
        raise UsageError("Which one?", why="its number is missing", what_next=what_next)
    outcome = await need_incident_service(incident_service).take_override(request, number)
    return refused_answer(outcome.sentence, ON_CALL) if isinstance(outcome, Refused) else notice_answer(outcome)


def parse_override(words: tuple[str, ...], rotations: tuple[str, ...]) -> tuple[str, str | None, timedelta]:
    """The rotation, the substitute (None: the override ends), and for how long from now on.

    The rotation may be left out where the file has one.
    """
    if not words:
        raise UsageError("Who is the substitute?", why="no one is named", what_next=USAGE)
    if words[0].lower() == "end":
        return _rotation(words[1:], rotations), None, timedelta()
    user_id = parse_user(words[0], USAGE)
    if len(words) < 2:
        raise UsageError("For how long?", why="no time span is named", what_next=USAGE)
    span, rest = take_window(words[1:], largest=LONGEST)
    return _rotation(tuple(rest), rotations), user_id, span


def _rotation(words: tuple[str, ...], rotations: tuple[str, ...]) -> str:
    no_more(words, 1)
    if not words and len(rotations) == 1:
        return rotations[0]
    if not words or words[0].lower() not in rotations:
        known = ", ".join(f"`{name}`" for name in rotations) or "none"
        raise UsageError(
            "Which rotation?",
            why="the on-call file has several rotations, or none with this name",
            what_next=f"Known: {known}.",
        )
    return words[0].lower()
