"""Checks that people are paged when something is wrong: now, in the next 14 days, and outside Slack too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.model import Finding, NextStep, Status
from services.domain.calendar_slots import CalendarState
from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.oncall import NOT_KNOWN, Gap, Level, Override, Schedule, gaps, is_group, repeated_levels
from services.domain.text import counted, dated_time

AHEAD = timedelta(days=14)  # a gap is fixed by planning, not by the person who is paged
SOON = timedelta(days=3)  # a weekend ahead
SEE = NextStep("On call", "oncall")


@dataclass(frozen=True)
class Facts:
    """`schedule`: None without an on-call file, Unavailable if it has a mistake. `overrides`: oldest first.

    absent: `{Slack id: why it reaches no one}`, as far as Slack reported. fault: the mistake in the file while the last
    good one is in force, None if the file itself is in force. calendars: of rotations that have one.
    """

    schedule: Schedule | Unavailable | None
    overrides: Sequence[Override] | Unavailable
    now: datetime
    absent: Mapping[str, str] | Unavailable = field(default_factory=dict)
    fault: str | None = None
    calendars: Sequence[CalendarState] = ()


@dataclass(frozen=True)
class Targets:
    """The names of targets outside Slack for which the bot's environment has an address."""

    webhooks: Collection[str] = ()
    emails: Collection[str] = ()


def check(facts: Facts) -> list[Finding]:
    """One finding per gap; an override can fill a gap, so unknown overrides leave gaps unknown."""
    if facts.schedule is None:
        return []
    if isinstance(facts.schedule, Unavailable):
        return [Finding("oncall.schedule", Status.UNKNOWN, "the on-call file cannot be used", facts.schedule.why)]
    stale = "the on-call file has a mistake: the last good one is in force"
    return [
        *([Finding("oncall.file", Status.WARN, stale, facts.fault)] if facts.fault else []),
        *check_calendars(facts.calendars, facts.now),
        *_check_gaps(facts, facts.schedule),
        *_check_repeated(facts, facts.schedule),
        *check_absent(facts.schedule, facts.absent),
    ]


def check_calendars(calendars: Sequence[CalendarState], now: datetime) -> list[Finding]:
    """For each rotation with a calendar: a finding if it can't be read, and one if events put no one on call."""
    found: list[Finding] = []
    for one in calendars:
        found += [*_unreadable(one), *_unnamed(one, now)] or [
            Finding(f"oncall.calendar.{one.rotation}", Status.OK, f"the calendar of {one.rotation} can be read")
        ]
    return found


def _unreadable(one: CalendarState) -> Iterator[Finding]:
    check = f"oncall.calendar.{one.rotation}"
    detail = f"the calendar {one.calendar} {one.problem}" if one.problem else "the bot reads it within 5 min"
    if one.slots is None:
        title = f"the calendar of {one.rotation} was never read: it puts no one on call"
        yield Finding(check, Status.FAIL if one.problem else Status.UNKNOWN, title, detail, next_step=SEE)
    elif one.problem:
        title = f"the calendar of {one.rotation} can't be read: the last good one is in force"
        yield Finding(check, Status.WARN, title, detail, next_step=SEE)


def _unnamed(one: CalendarState, now: datetime) -> Iterator[Finding]:
    ahead = [event for event in one.unnamed if now <= event.begins < now + AHEAD]
    if ahead:
        first = ahead[0]
        title = f"{counted(len(ahead), 'event')} in the calendar of {one.rotation} put no one on call"
        begins = dated_time(first.begins, now)
        yield Finding(
            f"oncall.calendar.{one.rotation}.events",
            Status.WARN,
            title,
            f"the first, {begins}, {first.why}: name a person of the on-call file in its title, or invite them",
            evidence={"title": first.title[:200], "begins": first.begins.isoformat()},
            next_step=SEE,
        )


def check_absent(schedule: Schedule, absent: Mapping[str, str] | Unavailable) -> list[Finding]:
    """One finding per person and group on a level whom Slack cannot reach. They are skipped when paging, except those
    whose id Slack does not know: their pager may work."""
    if isinstance(absent, Unavailable):
        why = absent.why
        return [Finding("oncall.absent", Status.UNKNOWN, "whether everyone on call is still in Slack is unknown", why)]
    found = ((level, name, absent.get(slack_id)) for level, name, slack_id in _named(schedule))
    return [_absence(level, name, why) for level, name, why in found if why is not None]


def _check_gaps(facts: Facts, schedule: Schedule) -> list[Finding]:
    overrides = () if isinstance(facts.overrides, Unavailable) else facts.overrides
    found = gaps(schedule, facts.now, facts.now + AHEAD, overrides)
    if found and isinstance(facts.overrides, Unavailable):
        why = f"overrides cannot be read: {facts.overrides.why}"
        return [Finding("oncall.schedule", Status.UNKNOWN, "whether the schedule has gaps is unknown", why)]
    if not found:
        return [Finding("oncall.schedule", Status.OK, f"the schedule has no gaps in the next {AHEAD.days} days")]
    return [_gap(schedule, gap, facts.now) for gap in found]


def _check_repeated(facts: Facts, schedule: Schedule) -> list[Finding]:
    """One finding per group of consecutive levels that page the same person now."""
    overrides = () if isinstance(facts.overrides, Unavailable) else facts.overrides
    detail = "put another person on call at one of them with `oncall override`"
    return [
        Finding(f"oncall.repeated.{one.last}", Status.WARN, one.words, detail, next_step=SEE)
        for one in repeated_levels(schedule, facts.now, overrides)
    ]


def check_targets(schedule: Schedule, targets: Targets) -> list[Finding]:
    """Check that each level reaches a person outside Slack (maybe muted at night), and each target has an address."""
    return [*_slack_only(schedule), *_without_address(schedule, targets)] or [
        Finding("oncall.reach", Status.OK, "every level has a target outside Slack")
    ]


def _gap(schedule: Schedule, gap: Gap, now: datetime) -> Finding:
    level = schedule.levels[gap.level]
    begins = "now" if gap.begins <= now else f"from {dated_time(gap.begins, now)}"
    return Finding(
        check=f"oncall.gap.{gap.level + 1}",
        status=Status.FAIL if gap.begins - now < SOON else Status.WARN,
        title=f"no one is on call at level {gap.level + 1} ({level.name}) {begins} until {dated_time(gap.ends, now)}",
        detail="fix the on-call file, or put a person on call with `oncall override`",
        evidence={"begins": gap.begins.isoformat(), "ends": gap.ends.isoformat()},
        next_step=SEE,
    )


def _named(schedule: Schedule) -> Iterator[tuple[int, str, str]]:
    """All people on levels: the level's number, the name in the file, and the Slack id; a group by its id."""
    for number, level in enumerate(schedule.levels, start=1):
        for call in level.calls:
            for name in [call] if is_group(call) else _names(schedule, call):
                yield number, name, name if is_group(name) else schedule.people[name].slack


def _absence(level: int, name: str, why: str) -> Finding:
    who = "a user group" if is_group(name) else name
    return Finding(
        check=f"oncall.absent.{level}.{name}",
        status=Status.FAIL,
        title=f"level {level} pages {who}, who {why}" if who == name else f"level {level} pages {who}, which {why}",
        detail=(
            f"nothing in Slack reaches {who}; correct the id in the on-call file"
            if why == NOT_KNOWN
            else f"{who} is skipped when paging; remove {name} from the on-call file, or replace them"
        ),
        evidence={"level": level, "name": name},
        next_step=SEE,
    )


def _slack_only(schedule: Schedule) -> Iterator[Finding]:
    for number, level in enumerate(schedule.levels, start=1):
        if level.accepts_slack_only or _surely_leaves_slack(schedule, level):
            continue
        muted = ", ".join(_muted(schedule, level))
        yield Finding(
            f"oncall.reach.{number}",
            Status.FAIL,
            f"level {number} reaches {muted} in Slack only",
            "give them a webhook or an email, or write accept_slack_only = true",
        )


def _surely_leaves_slack(schedule: Schedule, level: Level) -> bool:
    """True if a page leaves Slack for every person on call."""
    if level.webhook or level.email:
        return True
    people = [_names(schedule, call) for call in level.calls if not is_group(call)]
    return any(all(_leaves_slack(schedule, name, level) for name in names) for names in people)


def _muted(schedule: Schedule, level: Level) -> list[str]:
    names = [name for call in level.calls for name in ([call] if is_group(call) else _names(schedule, call))]
    return list(dict.fromkeys(name for name in names if is_group(name) or not _leaves_slack(schedule, name, level)))


def _names(schedule: Schedule, call: str) -> Sequence[str]:
    return schedule.rotations[call].everyone if call in schedule.rotations else [call]


def _leaves_slack(schedule: Schedule, name: str, level: Level) -> bool:
    person = schedule.people[name]
    return bool((person.webhook and Channel.WEBHOOK in level.by) or (person.email and Channel.EMAIL in level.by))


def _without_address(schedule: Schedule, targets: Targets) -> Iterator[Finding]:
    webhooks = [one.webhook for one in schedule.people.values()] + [level.webhook for level in schedule.levels]
    emails = [one.email for one in schedule.people.values()] + [level.email for level in schedule.levels]
    wanted = {("webhook", name) for name in webhooks if name} | {("email", name) for name in emails if name}
    known = {"webhook": targets.webhooks, "email": targets.emails}
    for means, name in sorted(wanted):
        if name not in known[means]:
            title = f"the on-call file names the {means} target {name}, which has no address"
            next_step = "set its variable (docs/configuration.md)"
            yield Finding(f"oncall.target.{means}.{name}", Status.FAIL, title, next_step)
