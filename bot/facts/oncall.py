"""Reads who is on call: the file, and who stands in for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.approvals.groups import Groups
from bot.facts._world import World
from bot.settings import Invalid
from playbooks.checks import oncall
from services.domain.errors import Unavailable
from services.domain.oncall import KnownOverrides, Schedule, is_group
from services.domain.rotations import Absent
from services.slack.client import SlackClient


async def gather_oncall(world: World) -> tuple[oncall.Facts, KnownOverrides]:
    """The facts of the check, and how old those of the database are."""
    known, absent = await world.overrides(), await read_absent(world)
    return oncall.Facts(usable_schedule(world), known.rows, datetime.now(UTC), absent), known


async def read_absent(world: World) -> Mapping[str, str] | Unavailable:
    """`{Slack id: why nobody is reached behind it}` of the on-call file; empty without Slack, or without a file.

    The bot keeps it in mind; a terminal asks Slack.
    """
    schedule, slack = world.schedule, world.settings.slack
    if not isinstance(schedule, Schedule) or isinstance(slack, Invalid):
        return {}
    ids = schedule.slack_ids
    if world.absent is not None:
        return _found(ids, world.absent)
    client = SlackClient(slack.bot_token, api_url=slack.api_url)
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
        unread = [one for one in (*people.groups.values(), *people.accounts.values()) if isinstance(one, Unavailable)]
        return unread[0] if unread else _found(ids, groups.absent)
    finally:
        await groups.aclose()
        await client.aclose()


def _found(ids: Iterable[str], absent: Absent) -> dict[str, str]:
    whys = {slack_id: absent(slack_id) for slack_id in sorted(ids)}
    return {slack_id: why for slack_id, why in whys.items() if why is not None}


def usable_schedule(world: World) -> Schedule | Unavailable | None:
    """None without an on-call file; why it cannot be used when it has a mistake."""
    schedule = world.schedule
    return Unavailable("on-call file", schedule.why) if isinstance(schedule, Invalid) else schedule
