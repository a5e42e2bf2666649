"""Who gets a page directly when its channel takes nothing: whoever is on call, and the approvers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.facts import World
from bot.incidents.wiring import called_by_id
from services.domain.errors import SourceError
from services.domain.oncall import Reach, Schedule, is_group, nobody_is_absent
from services.domain.rotations import freeze
from services.slack.client import SlackClient

logger = logging.getLogger(__name__)

MOST = 20  # people; one message each


async def page_recipients(world: World, slack: SlackClient) -> Sequence[str]:
    """The Slack ids of people, the first level first; groups as their members. What cannot be read is left out."""
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
    chain = freeze(world.schedule, datetime.now(UTC), rows, world.name_of, world.absent or nobody_is_absent)
    in_slack = (Reach.DIRECT, Reach.MENTION)
    return [target.address for level in chain.levels for target in level.targets if target.reach in in_slack]


async def _members(slack: SlackClient, group: str) -> Sequence[str]:
    try:
        return await slack.list_group_members(group)
    except SourceError as error:
        logger.warning("the members of %s are not known: %s", group, error.why)
        return ()
