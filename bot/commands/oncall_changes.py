"""The `oncall` commands that store something: `override`, `take`, `swap`, `note` and `calendar`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.approvals.access import Refused
from bot.commands.arguments import need_moment, no_more, parse_user, read_number, take_when, wrong_word
from bot.commands.context import ON_CALL, need_incident_service
from bot.config.fields import Invalid
from bot.facts.oncall import usable_schedule
from bot.oncall.calendar_subscriptions import CALENDAR_PATH
from bot.oncall.overrides import Desired, SlackOnly
from bot.types import Answer, Request
from bot.views.notes import notice_answer
from bot.views.overrides import slack_only_answer
from bot.views.runs import refused_answer
from bot.views.text import code
from services.domain.errors import OperatorError, UsageError
from services.domain.masking import mask_message
from services.domain.oncall import Schedule, zone_of
from services.domain.shifts import SwapState
from services.domain.text import age

if TYPE_CHECKING:
    from bot.incidents.service import IncidentService
    from bot.world import World

USAGE = (
    "Write `oncall override @ben 2h primary`, `oncall override @ben from sat 09:00 until sun 21:00`, or "
    "`oncall override end primary`."
)
SWAP_USAGE = "Write `oncall swap @ben`, or with a day of each: `oncall swap @ben sat for mon`."
RENEW = "renew"
SLACK_ONLY = "--slack-only"  # confirms that a level may be left without a pager or e-mail
LONGEST = timedelta(days=31)  # for longer, change the on-call file
FURTHEST = timedelta(days=366)
SWAP_STATES = {"accept": SwapState.ACCEPTED, "decline": SwapState.DECLINED, "withdraw": SwapState.WITHDRAWN}


async def answer_override(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    schedule = _need_schedule(world)
    words = tuple(word for word in request.words if word != SLACK_ONLY)
    service = need_incident_service(incident_service).on_call
    if words and words[0].lower() == "end":
        number = read_number(words[1]) if len(words) == 2 else None
        if number is not None:
            return _answer(await service.cancel_override(request, number))
        return _answer(await service.end_override(request, rotation=_rotation(words[1:], tuple(schedule.rotations))))
    now, zone = datetime.now(UTC), await _zone(request, schedule, incident_service)
    desired = parse_override(words, tuple(schedule.rotations), now, zone)
    outcome = await service.override(request, desired, slack_only=len(words) < len(request.words))
    if isinstance(outcome, SlackOnly):
        return slack_only_answer(
            desired.user_id, outcome.levels, f"oncall override {_same_request(desired)} {SLACK_ONLY}"
        )
    return _answer(outcome)


async def answer_take(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    """Confirm an override by its number, or take over the current shift."""
    number = read_number(request.words[0]) if request.words else None
    service = need_incident_service(incident_service).on_call
    if number is not None:
        no_more(request.words, 1)
        return _answer(await service.take_override(request, number))
    schedule = _need_schedule(world)
    words = tuple(word for word in request.words if word != SLACK_ONLY)
    now, zone = datetime.now(UTC), await _zone(request, schedule, incident_service)
    rotation, ends_at = parse_take(words, tuple(schedule.rotations), now, zone)
    slack_only = len(words) < len(request.words)
    outcome = await service.take_shift(request, rotation=rotation, ends_at=ends_at, slack_only=slack_only)
    if isinstance(outcome, SlackOnly):
        until = f" until {_utc_words(ends_at)}" if ends_at else ""
        user = request.actor.user_id if request.actor else ""
        return slack_only_answer(user, outcome.levels, f"oncall take {rotation}{until} {SLACK_ONLY}")
    return _answer(outcome)


async def answer_swap(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    service = need_incident_service(incident_service).on_call
    state = SWAP_STATES.get(request.words[0].lower()) if request.words else None
    if state is not None:
        no_more(request.words, 2)
        number = read_number(request.words[1]) if len(request.words) > 1 else None
        if number is None:
            raise UsageError("Which swap?", why="its number is missing", what_next="Press the button in its message.")
        return _answer(await service.settle_swap(request, number, state))
    schedule = _need_schedule(world)
    now, zone = datetime.now(UTC), await _zone(request, schedule, incident_service)
    rotation, other, mine, theirs = parse_swap(request.words, tuple(schedule.rotations), now, zone)
    outcome = await service.offer_swap(request, rotation=rotation, other_user=other, mine=mine, theirs=theirs)
    return _answer(outcome)


async def answer_note(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    schedule = _need_schedule(world)
    words, rotations = request.words, tuple(schedule.rotations)
    named = words[:1] if words and words[0].lower() in rotations else ()
    text = " ".join(words[len(named) :])
    if not text:
        what_next = "Write `oncall note primary <text>`."
        raise UsageError("Nothing was added", why="the text is missing", what_next=what_next)
    service = need_incident_service(incident_service).on_call
    return _answer(await service.add_note(request, rotation=_rotation(named, rotations), text=mask_message(text)))


async def answer_calendar(request: Request, world: World, incident_service: IncidentService | None) -> Answer:
    schedule, hooks = _need_schedule(world), world.settings.hooks
    words = [word.lower() for word in request.words if word.lower() != RENEW]
    if words and words[0] not in schedule.rotations:
        raise wrong_word(
            words[0], "is not a rotation", f"Known: {', '.join(f'`{one}`' for one in schedule.rotations)}."
        )
    no_more(words, 1)
    if isinstance(hooks, Invalid) or hooks.public_url is None:
        raise OperatorError(
            "There is no calendar",
            why="BOT_PUBLIC_URL is not set, so nothing outside reaches the bot",
            what_next="Set it (docs/configuration.md); `check-config` shows whether it is set.",
        )
    service, rotation = need_incident_service(incident_service).on_call, "".join(words)
    token = await service.calendar_token(request, rotation=rotation, renew=len(words) < len(request.words))
    if isinstance(token, Refused):
        return _answer(token)
    whose = f"the rotation {rotation}" if rotation else "your own shifts"
    address = f"{hooks.public_url}{CALENDAR_PATH}{token}.ics"
    return notice_answer(
        f"🗓 Subscribe to {whose}: {code(address, limit=300)}\nWho has the address can read it; "
        f"`oncall calendar {rotation + ' ' if rotation else ''}renew` makes a new one and ends this one."
    )


def _answer(outcome: str | Refused) -> Answer:
    return refused_answer(outcome.sentence, ON_CALL) if isinstance(outcome, Refused) else notice_answer(outcome)


def _need_schedule(world: World) -> Schedule:
    schedule = usable_schedule(world)
    if isinstance(schedule, Schedule):
        return schedule
    why = schedule.why if schedule else "there is no on-call file"
    raise OperatorError("The schedule did not change", why=why, what_next="Fix it; `check-config` names the line.")


async def _zone(request: Request, schedule: Schedule, incident_service: IncidentService | None) -> ZoneInfo:
    """The time zone of typed times: the requester's in Slack, else the on-call file's."""
    found = await incident_service.zone_of(request.actor) if incident_service and request.actor else None
    return found or zone_of(schedule)


def parse_override(words: Sequence[str], rotations: tuple[str, ...], now: datetime, zone: ZoneInfo) -> Desired:
    """Parse person, start, end and rotation, which is optional if the file has only one. Raises UsageError."""
    if not words:
        raise UsageError("Who is the substitute?", why="no one is named", what_next=USAGE)
    user_id = parse_user(words[0], USAGE)
    begins, ends, rest = _take_span(words[1:], now, zone)
    return Desired(_rotation(rest, rotations), user_id, ends, begins)


def _take_span(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime | None, datetime, Sequence[str]]:
    """Return start (None: now), end, and the words after them. Raises UsageError."""
    when, rest = take_when(words, now, zone)
    if when.recurrence is not None:
        why = "an override can't repeat"
        raise UsageError("For how long?", why=why, what_next="Put shifts that repeat into the on-call file.")
    if when.ends is None:
        if words and not when.begins:
            raise wrong_word(words[0], "is not a time span", f"Write a number and a unit (`2h`), or a time. {USAGE}")
        raise UsageError("For how long?", why="the time span is missing", what_next=USAGE)
    begins = when.begins if when.begins and when.begins > now else None
    if not timedelta() < when.ends - (begins or now) <= LONGEST or (begins or now) - now > FURTHEST:
        raise wrong_word(" ".join(words), "is out of range", f"Use 1 s to {age(LONGEST)}, within a year.")
    return begins, when.ends, rest


def parse_take(
    words: Sequence[str], rotations: tuple[str, ...], now: datetime, zone: ZoneInfo
) -> tuple[str, datetime | None]:
    """Parse the rotation and the end (None: the end of the shift). Raises UsageError."""
    named = words[:1] if words and words[0].lower() in rotations else ()
    when, rest = take_when(words[len(named) :], now, zone)
    if named:
        no_more(rest, 0)
    rotation = _rotation(named or rest, rotations)
    if when.ends is not None and not timedelta() < when.ends - now <= LONGEST:
        raise wrong_word(" ".join(words), "is out of range", f"Use 1 s to {age(LONGEST)}.")
    return rotation, when.ends


def parse_swap(
    words: Sequence[str], rotations: tuple[str, ...], now: datetime, zone: ZoneInfo
) -> tuple[str, str, datetime | None, datetime | None]:
    """Parse the rotation, the other person, and a moment in each one's shift (None: the next). Raises UsageError."""
    if not words:
        raise UsageError("With whom?", why="no one is named", what_next=SWAP_USAGE)
    other = parse_user(words[0], SWAP_USAGE)
    named = [word for word in words[1:] if word.lower() in rotations][:1]
    rest = [word for word in words[1:] if word not in named]
    place = rest.index("for") if "for" in rest else len(rest)
    mine, theirs = _moment(rest[:place], now, zone), _moment(rest[place + 1 :], now, zone)
    if place < len(rest) and theirs is None:
        raise UsageError("Which shift of theirs?", why="no day follows `for`", what_next=SWAP_USAGE)
    return _rotation(named, rotations), other, mine, theirs


def _moment(words: Sequence[str], now: datetime, zone: ZoneInfo) -> datetime | None:
    if not words:
        return None
    moment, rest = need_moment(words, now, zone)
    no_more(rest, 0)
    return moment


def _same_request(desired: Desired) -> str:
    """The words that request the same override."""
    begins = f"from {_utc_words(desired.begins_at)} " if desired.begins_at else ""
    return f"{desired.user_id} {begins}until {_utc_words(desired.ends_at)} {desired.rotation}"


def _utc_words(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _rotation(words: Sequence[str], rotations: tuple[str, ...]) -> str:
    no_more(words, 1)
    if not words and len(rotations) == 1:
        return rotations[0]
    if not words or words[0].lower() not in rotations:
        known = " or ".join(f"`{name}`" for name in rotations)
        raise UsageError(
            "Which rotation?",
            why="the on-call file has no rotation with this name"
            if words
            else "the on-call file has several rotations",
            what_next=f"Add its name: {known}." if rotations else "Add a rotation to the on-call file.",
        )
    return words[0].lower()
