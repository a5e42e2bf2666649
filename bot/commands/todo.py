"""`incident todo [id] [@who] [by <when>] <what>` and `incident done <id>`: follow-ups of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.commands.arguments import USER, need_moment, no_more, read_number
from bot.commands.context import IncidentVerb, incident_outcome_answer, need_actor, need_incident, need_incident_service
from bot.incidents.todos import NewTodo
from bot.types import Answer, Request
from bot.views.findings import unavailable_answer
from bot.views.todos import todos_answer
from services.clients.postgres.todos import list_open_todos
from services.domain.errors import Unavailable, UsageError
from services.domain.masking import mask_message
from services.domain.todos import MOST

if TYPE_CHECKING:
    from bot.incidents.service import IncidentService
    from bot.world import World

MIDNIGHT = time()
EXAMPLE = "incident todo 7 @ben by friday raise the memory limit"


async def answer_todo(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    """Add a follow-up; without words, list the open ones."""
    now = datetime.now(UTC)
    if not request.words:
        found = await world.read(list_open_todos, limit=MOST)
        return unavailable_answer("follow-ups", found) if isinstance(found, Unavailable) else todos_answer(found, now)
    number, words = await need_incident(request, world, IncidentVerb.TODO, EXAMPLE)
    service = need_incident_service(incident_service)
    zone = await service.zone_of(need_actor(request))
    return incident_outcome_answer(await service.add_todo(number, request, parse(words, now, zone)))


async def answer_done(request: Request, world: World, incident_service: IncidentService | None) -> Answer:  # noqa: ARG001 - one signature
    no_more(request.words, 1)
    number = read_number(request.words[0]) if request.words else None
    if number is None:
        what_next = "`incident todo` lists the open ones."
        raise UsageError("Which follow-up?", why="its number is missing", what_next=what_next)
    return incident_outcome_answer(await need_incident_service(incident_service).finish_todo(number, request))


def parse(words: Sequence[str], now: datetime, zone: ZoneInfo) -> NewTodo:
    """Parse person and date, both optional, and text. A day without a time means its end. Raises UsageError."""
    person = USER.match(words[0]) if words else None
    rest = words[1:] if person else words
    due = None
    if len(rest) > 1 and rest[0].lower() == "by":
        due, rest = need_moment(rest[1:], now, zone, day_ends=True)
        if due.astimezone(zone).time() == MIDNIGHT:
            due -= timedelta(minutes=1)  # so that the named day is shown, not the next one
    if not rest:
        raise UsageError("What needs to be done?", why="the description is missing", what_next=f"Write `{EXAMPLE}`.")
    return NewTodo(mask_message(" ".join(rest)), person[1] if person else None, due)
