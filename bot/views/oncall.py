"""Who is on call, level by level, and when nobody is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.commands._contract import Answer, Block
from bot.views.blocks import context, section, sections
from bot.views.findings import SIGN, finding_data, finding_line
from bot.views.mentions import mention
from bot.views.message import fit_message
from bot.views.plain import mrkdwn_text
from bot.views.text import date_token, escape
from playbooks._contract import Finding, Status, worst
from playbooks.checks.oncall import Facts
from services.domain.errors import Unavailable
from services.domain.oncall import KnownOverrides, Level, OnCallPerson, Override, Reach, Schedule, is_group
from services.domain.rotations import next_handover, on_call, targets
from services.domain.words import age

NO_FILE = Finding(
    "oncall.schedule",
    Status.WARN,
    "there is no on-call file",
    "incidents call the approvers, in Slack only; see oncall.example.toml and DRAGONFLY_ONCALL",
)


def oncall_answer(facts: Facts, findings: Sequence[Finding], known: KnownOverrides) -> Answer:
    """`findings`: of `playbooks.checks.oncall.check`; what is fine is not repeated."""
    findings = [NO_FILE] if facts.schedule is None else findings
    loud = [finding_line(finding) for finding in findings if finding.status is not Status.OK]
    schedule = facts.schedule if isinstance(facts.schedule, Schedule) else None
    overrides = () if isinstance(known.rows, Unavailable) else known.rows
    levels = _levels(schedule, facts.now, overrides) if schedule else []
    first = f"{SIGN[worst(findings)]} *On call* · {levels[0] if levels else 'nobody is named'}"
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
    turns = [next_handover(schedule.rotations[call], now) for call in level.calls if call in schedule.rotations]
    until = f" (next handover {date_token(min(turns))})" if turns else ""
    return (", ".join([*people, *groups, *pagers]) or "*nobody*") + until


def _ways(schedule: Schedule, level: Level, now: datetime, overrides: Sequence[Override]) -> str:
    ways = {target.reach for target in targets(schedule, level, now, overrides)}
    return " · " + ", ".join(reach.words for reach in Reach if reach in ways) if ways else ""


def _standing_in(overrides: Sequence[Override], now: datetime) -> list[str]:
    return [
        f"{mention(one.user_id)} stands in for {escape(one.rotation, limit=100)} "
        f"{'' if one.holds(now) else f'from {date_token(one.begins_at)} '}until {date_token(one.ends_at)}"
        f"{'' if one.confirmed_at else ' · not confirmed yet'}"
        for one in overrides
    ]


def _notes(facts: Facts, known: KnownOverrides) -> list[str]:
    if known.problem is None:
        return [f"as of {date_token(facts.now)}"]
    why = escape(known.problem.why, limit=200)
    if isinstance(known.rows, Unavailable):
        return [f"by the file alone: who stands in for whom is unknown ({why})"]
    return [f"who stands in for whom is {age(known.age)} old ({why})"]


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
