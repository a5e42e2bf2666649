"""Gathers the facts for the check of the on-call file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.clients import open_slack
from bot.config.fields import Invalid
from bot.last_known import KnownOverrides
from bot.slack_directory import Groups
from bot.world import World
from playbooks.checks import oncall
from services.domain.errors import Unavailable
from services.domain.oncall import Absent, Schedule, is_group


async def gather_oncall(world: World) -> tuple[oncall.Facts, KnownOverrides]:
    """Return the facts of the check, and the overrides with their age."""
    known, absent = await world.overrides(), await read_absent(world)
    fault = world.schedule_fault.why if world.schedule_fault else None
    calendars = tuple(world.calendars.values())
    return oncall.Facts(usable_schedule(world), known.rows, datetime.now(UTC), absent, fault, calendars), known


async def read_absent(world: World) -> Mapping[str, str] | Unavailable:
    """Return `{Slack id: why it reaches no one}` for the on-call file; empty without Slack settings or a file.

    The bot has it cached; a terminal asks Slack.
    """
    schedule, slack = world.schedule, world.settings.slack
    if not isinstance(schedule, Schedule) or isinstance(slack, Invalid):
        return {}
    ids = schedule.slack_ids
    if world.unreachable is not None:
        return _found(ids, world.unreachable)
    client = open_slack(slack)
    users = (one for one in ids if not is_group(one))
    groups = Groups(
        client,
        filter(is_group, ids),
        workspace=lambda: None,
        users=users,
        timeout_s=world.settings.source_timeout_s,
    )
    try:
        await groups.refresh()
        people = groups.known()
        asked = {**people.groups, **people.accounts}
        unread = [
            one for slack_id, one in asked.items() if isinstance(one, Unavailable) and not groups.unreachable(slack_id)
        ]
        return unread[0] if unread else _found(ids, groups.unreachable)
    finally:
        await groups.aclose()
        await client.aclose()


def _found(ids: Iterable[str], absent: Absent) -> dict[str, str]:
    whys = {slack_id: absent(slack_id) for slack_id in sorted(ids)}
    return {slack_id: why for slack_id, why in whys.items() if why is not None}


def usable_schedule(world: World) -> Schedule | Unavailable | None:
    """The schedule; None without an on-call file, Unavailable if the file has a mistake."""
    schedule = world.schedule
    return Unavailable("on-call file", schedule.why) if isinstance(schedule, Invalid) else schedule
