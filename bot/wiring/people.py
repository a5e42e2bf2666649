"""The people whom the settings and the on-call file name: responders, approvers, and recipients of pages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.config.fields import Invalid
from bot.world import World
from services.clients.slack import SlackClient
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.oncall import Schedule, is_group, make_chain, nobody_is_absent

logger = logging.getLogger(__name__)


def responders(world: World) -> tuple[str, ...]:
    """Return the ids of people and groups who may respond: operators, approvers, and those in the on-call file."""
    people, schedule = world.settings.people, schedule_of(world)
    listed = () if isinstance(people, Invalid) else (*people.operators, *people.approvers)
    return tuple(sorted({*listed, *(schedule.slack_ids if schedule else ())}))


def called_by_id(world: World) -> tuple[str, ...]:
    """Return the approvers and groups, of whom the settings hold nothing but the Slack id."""
    schedule = schedule_of(world)
    groups = filter(is_group, schedule.slack_ids) if schedule else ()
    return (*approvers_of(world), *groups)


def approvers_of(world: World) -> tuple[str, ...]:
    people = world.settings.people
    return () if isinstance(people, Invalid) else people.approvers


def schedule_of(world: World) -> Schedule | None:
    return world.schedule if isinstance(world.schedule, Schedule) else None


def phones_behind(world: World, channel: Channel, target: str) -> tuple[str, ...]:
    """Return the phone numbers, from the on-call file, of the people whom this target pages."""
    schedule = schedule_of(world)
    return schedule.phones_behind(channel, target) if schedule else ()


MOST = 20  # people, one message each


async def page_recipients(world: World, slack: SlackClient) -> Sequence[str]:
    """Return the Slack ids of the people to page, first level first; groups as their members. What can't be read is
    left out."""
    found = [*await _on_call(world), *called_by_id(world)]
    people: dict[str, None] = {}
    for slack_id in found:
        for person in await _members(slack, slack_id) if is_group(slack_id) else (slack_id,):
            people[person] = None
    return list(people)[:MOST]


async def _on_call(world: World) -> list[str]:
    if not isinstance(world.schedule, Schedule):
        return []
    known = await world.overrides()
    rows = known.rows if isinstance(known.rows, Sequence) else ()
    chain = make_chain(world.schedule, datetime.now(UTC), rows, world.name_of, world.absent or nobody_is_absent)
    in_slack = (Channel.DIRECT, Channel.MENTION)
    return [target.address for level in chain.levels for target in level.targets if target.channel in in_slack]


async def _members(slack: SlackClient, group: str) -> Sequence[str]:
    try:
        return await slack.list_group_members(group)
    except SourceError as error:
        logger.warning("the members of %s are not known: %s", group, error.why)
        return ()
