"""Who is told of an absent database: whoever is on call, as far as that is known without it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.facts import World
from bot.notifications.reach import Reach
from bot.outage.phones import Target
from services.domain.notifications import Means
from services.domain.oncall import Reach as By
from services.domain.oncall import Schedule, nobody_is_absent
from services.domain.rotations import freeze

_MEANS = {By.WEBHOOK: Means.WEBHOOK, By.EMAIL: Means.EMAIL}


async def on_call_targets(world: World, reach: Reach) -> Sequence[Target]:
    """The targets outside Slack of the first level that has any; the bot's own ones when the file names none.

    Stand-ins are the last known ones: they are kept in the database.
    """
    if not isinstance(world.schedule, Schedule):
        return reach.everybody()
    known = await world.overrides()
    rows = known.rows if isinstance(known.rows, Sequence) else ()
    chain = freeze(world.schedule, datetime.now(UTC), rows, world.name_of, world.absent or nobody_is_absent)
    for level in chain.levels:
        found = [(_MEANS[one.reach], one.address) for one in level.targets if one.reach in _MEANS]
        if found:
            return found
    return reach.everybody()
