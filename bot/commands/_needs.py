"""What some commands cannot do without; each error says what is missing and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bot.approvals.policy import Right, Target
from bot.approvals.rights import Refused, judge
from bot.commands._contract import Actor, Request
from bot.settings import Invalid, require
from services.domain.errors import OperatorError, SourceError
from services.domain.runs import Person
from services.domain.services import Service

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World
    from bot.incidents.room import Room
    from services.postgres.pool import Database


def need_desk(desk: Desk | None) -> Desk:
    """Raises OperatorError when there is nowhere to file a request."""
    if desk is None:
        raise OperatorError(
            "Nothing was done",
            why="requests are kept in the database and approved in Slack, and the settings of one of them are missing",
            what_next="Mend them (`check-config`); `--dry-run` shows the steps to take by hand in Railway's dashboard.",
        )
    return desk


def need_room(room: Room | None) -> Room:
    """Raises OperatorError when incidents cannot be kept."""
    if room is None:
        raise OperatorError(
            "Nothing was done",
            why="incidents are kept in the database and told in Slack, and the settings of one of them are missing",
            what_next="Mend them (`check-config`), and tell people by hand meanwhile.",
        )
    return room


def need_database(world: World) -> Database:
    """Raises SourceError when there is none."""
    if world.database is None:
        raise SourceError("database", "not configured")
    return world.database


def need_actor(request: Request) -> Actor:
    """Raises OperatorError on the terminal, which knows nobody."""
    if request.actor is None:
        raise OperatorError(
            "Nothing was done",
            why="nobody knows who types on a terminal",
            what_next="Type the same line in Slack, behind `/dragonfly`.",
        )
    return request.actor


async def need_right(
    playbook: str, services: Iterable[Service], request: Request, world: World, desk: Desk | None, *, failed: str
) -> Person:
    """Who asks, if the policy lets them. `failed` says what did not happen ("No drill began").

    Raises OperatorError if it does not, and on the terminal.
    """
    actor = need_actor(request)
    person, desk = Person(actor.user_id, actor.team_id), need_desk(desk)
    if isinstance(desk.policy, Invalid):
        raise OperatorError(failed, why=desk.policy.why, what_next="`check-config` says what to mend.")
    target = Target(playbook, frozenset(services), require(world.settings.identity).environment)
    verdict = judge(Right.REQUEST, person, target, desk.policy, await desk.people(person.user_id))
    if isinstance(verdict, Refused):
        raise OperatorError(failed, why=verdict.why, what_next=verdict.what_next)
    return person
