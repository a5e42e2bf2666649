"""`oncall`: who is called when something is wrong. `oncall override`: somebody stands in for somebody else.

`oncall take`: whoever was put on call confirms it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.approvals.rights import Refused
from bot.commands._arguments import no_more, parse_user, read_number, take_window
from bot.commands._contract import Answer, Request
from bot.commands._incidents import ON_CALL
from bot.commands._needs import need_room
from bot.commands._verbs import Command, RoomCommand, Verb
from bot.facts.oncall import gather_oncall, usable_schedule
from bot.incidents.overrides import SlackOnly
from bot.views.decided import refused_answer
from bot.views.oncall import notice_answer, oncall_answer
from bot.views.overrides import slack_only_answer
from playbooks.checks import oncall
from services.domain.errors import OperatorError, UsageError
from services.domain.oncall import Schedule

if TYPE_CHECKING:
    from bot.facts import World
    from bot.incidents.room import Room

USAGE = "Write `oncall override @ben 2h primary`, or `oncall override end primary`."
SLACK_ONLY = "--slack-only"  # the level may lose its last phone
LONGEST = timedelta(days=31)  # longer, and the file is what has to change


async def answer_oncall(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts, known = await gather_oncall(world)
    return oncall_answer(facts, oncall.check(facts), known)


async def answer_override(request: Request, world: World, room: Room | None) -> Answer:
    schedule = usable_schedule(world)
    if not isinstance(schedule, Schedule):
        why = schedule.why if schedule else "there is no on-call file"
        raise OperatorError("Nobody stands in", why=why, what_next="Mend it; `check-config` names the line.")
    words = tuple(word for word in request.words if word != SLACK_ONLY)
    rotation, user_id, span = parse_override(words, tuple(schedule.rotations))
    outcome = await need_room(room).override(
        request, rotation=rotation, user_id=user_id, span=span, slack_only=len(words) < len(request.words)
    )
    if isinstance(outcome, SlackOnly):
        line = f"oncall override {user_id} {round(span.total_seconds())}s {rotation} {SLACK_ONLY}"
        return slack_only_answer(str(user_id), outcome.levels, line)
    return refused_answer(outcome.sentence, ON_CALL) if isinstance(outcome, Refused) else notice_answer(outcome)


async def answer_take(request: Request, world: World, room: Room | None) -> Answer:  # noqa: ARG001 - as the others
    no_more(request.words, 1)
    number = read_number(request.words[0]) if request.words else None
    if number is None:
        what_next = "Press *I take it* in the message that put you on call."
        raise UsageError("Which one?", why="its number is missing", what_next=what_next)
    outcome = await need_room(room).take_override(request, number)
    return refused_answer(outcome.sentence, ON_CALL) if isinstance(outcome, Refused) else notice_answer(outcome)


def parse_override(words: tuple[str, ...], rotations: tuple[str, ...]) -> tuple[str, str | None, timedelta]:
    """The rotation, who stands in (None: nobody any more), and for how long from now on.

    The rotation may be left out where the file has one.
    """
    if not words:
        raise UsageError("Who stands in?", why="nobody is named", what_next=USAGE)
    if words[0].lower() == "end":
        return _rotation(words[1:], rotations), None, timedelta()
    user_id = parse_user(words[0], USAGE)
    if len(words) < 2:
        raise UsageError("For how long?", why="no time span is named", what_next=USAGE)
    span, rest = take_window(words[1:], largest=LONGEST)
    return _rotation(tuple(rest), rotations), user_id, span


def _rotation(words: tuple[str, ...], rotations: tuple[str, ...]) -> str:
    no_more(words, 1)
    if not words and len(rotations) == 1:
        return rotations[0]
    if not words or words[0].lower() not in rotations:
        known = ", ".join(f"`{name}`" for name in rotations) or "none"
        raise UsageError(
            "Which rotation?", why="the file has several, or none of this name", what_next=f"Known: {known}."
        )
    return words[0].lower()


COMMANDS: tuple[Verb, ...] = (
    RoomCommand(
        name="oncall override",
        summary="somebody stands in for a rotation from now on, and is told so; `end` takes it back",
        group="Incidents",
        handle=answer_override,
        usage="<user> <how long> [rotation] [--slack-only] | end [rotation]",
        examples=("oncall override @ben 2h primary", "oncall override end primary"),
        private=True,
    ),
    RoomCommand(
        name="oncall take",
        summary="you were put on call, and take it",
        group="Incidents",
        handle=answer_take,
        usage="<id>",
        examples=("oncall take 3",),
        private=True,
    ),
    Command(
        name="oncall",
        summary="who is called when something is wrong, level by level; gaps in the schedule",
        group="Incidents",
        handle=answer_oncall,
        examples=("oncall",),
        private=True,
    ),
)
