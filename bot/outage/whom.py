"""Who is paged for an absent database: whoever is on call, as far as that is known without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.facts import World
from bot.notifications.reach import Reach
from bot.outage.decide import PagedLevel
from bot.settings import Invalid
from services.domain.notifications import Means
from services.domain.oncall import CALL_AGAIN_AFTER, Chain, ChainLevel, Schedule, nobody_is_absent
from services.domain.oncall import Reach as By
from services.domain.rotations import freeze

_MEANS = {By.WEBHOOK: Means.WEBHOOK, By.EMAIL: Means.EMAIL}


async def on_call_levels(world: World, reach: Reach) -> Sequence[PagedLevel]:
    """The levels of the on-call file as they are now; the approvers and the bot's own targets where it names nobody.

    Stand-ins are the last known ones: they are kept in the database. Where no level has a phone, the first one gets the
    bot's own targets.
    """
    levels = [_level(number, one) for number, one in enumerate((await _chain(world)).levels, start=1)]
    if not levels:
        people = world.settings.people
        approvers = () if isinstance(people, Invalid) else people.approvers
        return [PagedLevel(1, "everybody", tuple(reach.everybody()), approvers, CALL_AGAIN_AFTER)]
    if not any(level.phones for level in levels):
        levels[0] = replace(levels[0], phones=tuple(reach.everybody()))
    return levels


async def _chain(world: World) -> Chain:
    if not isinstance(world.schedule, Schedule):
        return Chain()
    known = await world.overrides()
    rows = known.rows if isinstance(known.rows, Sequence) else ()
    return freeze(world.schedule, datetime.now(UTC), rows, world.name_of, world.absent or nobody_is_absent)


def _level(number: int, level: ChainLevel) -> PagedLevel:
    phones = [(_MEANS[one.reach], one.address) for one in level.targets if one.reach in _MEANS]
    mentions = [one.address for one in level.targets if one.reach in (By.MENTION, By.DIRECT)]
    return PagedLevel(number, level.name, tuple(phones), tuple(dict.fromkeys(mentions)), level.wait, level.skipped)
