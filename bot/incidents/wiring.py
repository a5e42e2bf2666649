"""Makes what incidents need: from settings to a switchboard and a room."""

from __future__ import annotations

from collections.abc import Callable

from bot.approvals.groups import Groups
from bot.facts import World
from bot.incidents.room import Room
from bot.incidents.slack_names import SlackNames
from bot.incidents.switchboard import Place, SayAlert, Switchboard, nothing_is_said
from bot.settings import Invalid, require
from services.domain.oncall import Schedule, is_group, nobody_is_absent
from services.postgres.pool import Database


def make_board(
    world: World,
    name_of: Callable[[str], str],
    told: Callable[[], None] = lambda: None,
    say_alert: SayAlert = nothing_is_said,
) -> Switchboard:
    """Tells in the incidents channel. A file that cannot be used calls nobody; then the approvers are called.

    `name_of`: what those of `called_by_id` are called.
    """
    settings = world.settings
    place = Place(
        environment=settings.environment or "environment unknown",
        channel=require(settings.slack).incidents_channel,
        schedule=_schedule(world),
        approvers=_approvers(world),
    )
    return Switchboard(place, told, say_alert, name_of, world.absent or nobody_is_absent)


def make_room(world: World, database: Database, board: Switchboard, groups: Groups, names: SlackNames) -> Room:
    """`groups` has to know those of `responders`."""
    return Room(database, board, groups, names, responders(world))


def responders(world: World) -> tuple[str, ...]:
    """Who may answer for an incident: operators, approvers, and whoever the on-call file names."""
    people, schedule = world.settings.people, _schedule(world)
    listed = () if isinstance(people, Invalid) else (*people.operators, *people.approvers)
    return tuple(sorted({*listed, *(schedule.slack_ids if schedule else ())}))


def called_by_id(world: World) -> tuple[str, ...]:
    """Those of whom the settings have nothing but the Slack id: groups, and approvers."""
    schedule = _schedule(world)
    groups = filter(is_group, schedule.slack_ids) if schedule else ()
    return (*_approvers(world), *groups)


def _approvers(world: World) -> tuple[str, ...]:
    people = world.settings.people
    return () if isinstance(people, Invalid) else people.approvers


def _schedule(world: World) -> Schedule | None:
    return world.schedule if isinstance(world.schedule, Schedule) else None
