"""`oncall`: the people who are paged, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more
from bot.facts.oncall import gather_oncall
from bot.types import Actor, Answer, Block, Request
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.findings import SIGN, finding_data, finding_line
from bot.views.text import date_token, escape, mention
from playbooks.checks import oncall
from playbooks.checks.oncall import Facts
from playbooks.model import Finding, Status, worst
from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.oncall import (
    Level,
    OnCallPerson,
    Override,
    Schedule,
    holder,
    is_group,
    on_call,
    targets,
)
from services.domain.rotations import next_handover
from services.domain.text import age

if TYPE_CHECKING:
    from bot.last_known import KnownOverrides
    from bot.world import World


NO_FILE = Finding(
    "oncall.schedule",
    Status.WARN,
    "there is no on-call file",
    "incidents page the approvers, in Slack only; see oncall.example.toml and DRAGONFLY_ONCALL",
)


def oncall_answer(
    facts: Facts, findings: Sequence[Finding], known: KnownOverrides, actor: Actor | None = None
) -> Answer:
    """`findings`: of `playbooks.checks.oncall.check`; only problems are shown. `actor`: the person for the buttons."""
    findings = [NO_FILE] if facts.schedule is None else findings
    loud = [finding_line(finding) for finding in findings if finding.status is not Status.OK]
    schedule = facts.schedule if isinstance(facts.schedule, Schedule) else None
    overrides = () if isinstance(known.rows, Unavailable) else known.rows
    levels = _levels(schedule, facts.now, overrides) if schedule else []
    first = f"{SIGN[worst(findings)]} *On call* · {levels[0] if levels else 'no one is named'}"
    lines = [first, *levels[1:], *_override_lines(overrides, facts.now), *loud]
    buttons = _take_buttons(schedule, facts.now, overrides, actor) if schedule and actor else []
    blocks: list[Block] = [
        section(lines[0]),
        *sections(lines[1:]),
        *actions(buttons),
        context(*_notes(facts, known)),
    ]
    data = finding_data("on call", findings) | {
        "levels": _data(schedule, facts.now, overrides) if schedule else [],
        "overrides_age_s": round(known.age.total_seconds()),
    }
    return Answer(*fit_message("\n".join(lines), blocks), data, worst(findings), private=True)


def _levels(schedule: Schedule, now: datetime, overrides: Sequence[Override]) -> list[str]:
    return [
        f"{number}. {_who(schedule, level, now, overrides)}"
        f"{_channel_words(schedule, level, now, overrides)} · waits {age(level.wait)}"
        for number, level in enumerate(schedule.levels, start=1)
    ]


def _who(schedule: Schedule, level: Level, now: datetime, overrides: Sequence[Override]) -> str:
    people = [mention(person.slack) for person in on_call(schedule, level, now, overrides)]
    groups = [mention(call) for call in level.calls if is_group(call)]
    pagers = [escape(name, limit=100) for name in (level.webhook, level.email) if name]
    moments = [next_handover(schedule.rotations[call], now) for call in level.calls if call in schedule.rotations]
    handovers = [moment for moment in moments if moment is not None]
    until = f" (next handover {date_token(min(handovers))})" if handovers else ""
    return (", ".join([*people, *groups, *pagers]) or "*no one*") + until


def _channel_words(schedule: Schedule, level: Level, now: datetime, overrides: Sequence[Override]) -> str:
    ways = {target.channel for target in targets(schedule, level, now, overrides)}
    return " · " + ", ".join(channel.words for channel in Channel if channel in ways) if ways else ""


def _take_buttons(schedule: Schedule, now: datetime, overrides: Sequence[Override], actor: Actor) -> list[Block]:
    """One button per rotation that another person holds; none if the actor is not in the on-call file."""
    if all(person.slack != actor.user_id for person in schedule.people.values()):
        return []
    holders = {name: holder(schedule, name, now, overrides) for name in schedule.rotations}
    others = [name for name, person in holders.items() if person is None or person.slack != actor.user_id]
    return [command_button(f"Take {name} now", f"oncall take {name}", n=n) for n, name in enumerate(others[:5])]


def _override_lines(overrides: Sequence[Override], now: datetime) -> list[str]:
    return [
        f"{mention(one.user_id)} covers {escape(one.rotation, limit=100)} "
        f"{'' if one.holds(now) else f'from {date_token(one.begins_at)} '}until {date_token(one.ends_at)}"
        f"{'' if one.confirmed_at else ' · not confirmed yet'}{'' if one.holds(now) else f' · override {one.id}'}"
        for number, one in enumerate(overrides, start=1)
        if not _is_replaced(one, overrides[number:], now)
    ]


def _is_replaced(one: Override, newer: Sequence[Override], now: datetime) -> bool:
    """True if a newer override covers all of the remaining time, so that this one has no effect."""
    begins_at = max(one.begins_at, now)
    return any(
        other.rotation == one.rotation and other.begins_at <= begins_at and one.ends_at <= other.ends_at
        for other in newer
    )


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


async def answer_oncall(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts, known = await gather_oncall(world)
    return oncall_answer(facts, oncall.check(facts), known, request.actor)
