"""`silence <what> <how long> <why>`, `silence end <id>` and `silences`: creates, ends and lists silences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.commands.arguments import is_foreign, no_more, parse_reason, read_number, take_when, wrong_word
from bot.commands.context import check_not_done_before, need_database, need_right, requester_zone
from bot.config import alerts as names
from bot.config.policy import SILENCE
from bot.types import Answer, Block, Request
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.findings import unavailable_answer
from bot.views.silences import planned_line
from bot.views.text import code, date_token, escape
from bot.writes import note_done, write
from services.clients.postgres import alerts
from services.clients.postgres.alerts import list_planned_silences, list_silences
from services.clients.postgres.audit import append_audit
from services.clients.postgres.listen import notify_refresh
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.alerts import Alert, PlannedSilence, Silence, is_meant
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.people import Person
from services.domain.services import Service
from services.domain.text import age
from services.domain.windows import Written

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World


async def silence(
    database: Database, *, what: str, lasts: timedelta, reason: str, person: Person, delivery: str | None = None
) -> Silence:
    """Silence `what` from now on, once per delivery. Raises as `write` and `note_done`."""
    async with write(database, delivery, shown_by=SHOWN_BY) as conn:
        await note_done(conn, delivery, shown_by=SHOWN_BY)
        is_known = any(is_meant(what, alert.fingerprint, alert.service) for alert in await _open_alerts(conn))
        made = await alerts.create_silence(
            conn, what=what, owner=person.user_id, reason=reason, lasts=lasts, in_advance=not is_known
        )
        await notify_refresh(conn)
        details = {"silence": made.id, "what": what, "ends_at": made.ends_at.isoformat(), "reason": reason}
        await append_audit(conn, actor=person.user_id, event="silence.made", run_id=None, details=details)
    return made


async def lift(database: Database, *, silence_id: int, person: Person, delivery: str | None = None) -> Silence | None:
    """End a silence and return it; None if no active silence has this number. Raises as `write`."""
    async with write(database, delivery, shown_by=SHOWN_BY) as conn:
        ended = await alerts.end_silence(
            conn, id=silence_id, at=await read_clock(conn), outcome=f"lifted by {person.user_id}"
        )
        if ended is not None:
            await note_done(conn, delivery, shown_by=SHOWN_BY)
            await notify_refresh(conn)
            details = {"silence": ended.id, "what": ended.what}
            await append_audit(conn, actor=person.user_id, event="silence.lifted", run_id=None, details=details)
    return ended


async def _open_alerts(conn: Connection) -> list[Alert]:
    known = await alerts.list_alerts(conn, now=await read_clock(conn), again_within=timedelta())
    return [alert for alert in known if alert.is_open]


SHOWN_BY = "silences"
REASONS = ("Known, being worked on", "Planned work", "False alarm, wrong limit")
SHOWN = 20
BUTTONS = 5  # silences with their own button


def silenced_answer(silence: Silence) -> Answer:
    """Public: owner, target, end and reason of the new silence."""
    line = _line(silence)
    note = (
        "no such alert is open; the silence lasts until its end"
        if silence.in_advance
        else "it ends early when the alerts it covers have cleared"
    )
    blocks = [section(line), *actions([_end(silence)]), context(note)]
    return Answer(*fit_message(line, blocks), _data(silence))


def reasons_answer(what: str, how_long: str) -> Answer:
    """Ask for the reason, with one button per preset reason. Nothing is silenced yet."""
    first = f"🔕 *Why silence {code(what)}?* Nothing has happened yet: one tap silences it for {escape(how_long)}."
    buttons = [command_button(reason, f"silence {what} {how_long} {reason}") for reason in REASONS]
    own = context(f"or in your own words: `silence {escape(what)} {escape(how_long)} &lt;why&gt;`")
    data = {"reasons": list(REASONS), "command": f"silence {what} {how_long} <why>"}
    return Answer(*fit_message(first, [section(first), *actions(buttons), own]), data, private=True)


def planned_answer(planned: PlannedSilence) -> Answer:
    """Public: owner, target, time and reason of the planned silence."""
    line = planned_line(planned)
    note = context("its owner is reminded an hour before; `silences` lists it")
    return Answer(*fit_message(line, [section(line), *actions([_cancel_button(planned)]), note]), _planned(planned))


def cancelled_answer(planned: PlannedSilence, *, by: str) -> Answer:
    """Public: the planned silence is cancelled."""
    first = f"🔔 <@{escape(by)}> cancelled planned silence {planned.id} of {code(planned.what)}"
    return Answer(*fit_message(first, [section(first)]), _planned(planned))


def silences_answer(silences: Sequence[Silence], planned: Sequence[PlannedSilence] = ()) -> Answer:
    """Active silences by end, and planned silences by start."""
    if not silences and not planned:
        first = "*Nothing is silenced*"
        return Answer(*fit_message(first, [section(first)]), [], private=True)
    first = f"*Silences* ({len(silences)})" if silences else "*Nothing is silenced*"
    blocks = [section(first)]
    for place, silence in enumerate(silences[:SHOWN]):
        blocks.append(section(_line(silence), accessory=_end(silence) if place < BUTTONS else None))
    blocks += [section(f"*Planned* ({len(planned)})")] if planned else []
    for place, one in enumerate(planned[:SHOWN]):
        blocks.append(section(planned_line(one), accessory=_cancel_button(one) if place < BUTTONS else None))
    data = [*map(_data, silences), *map(_planned, planned)]
    return Answer(*fit_message(first, blocks), data, private=True)


def ended_answer(silence: Silence, *, by: str) -> Answer:
    """Public: the silence ended, and its alerts are announced again."""
    first = f"🔔 <@{escape(by)}> ended silence {silence.id} of {code(silence.what)}: people are notified again"
    return Answer(*fit_message(first, [section(first)]), _data(silence))


def _line(silence: Silence) -> str:
    until = date_token(silence.ends_at)
    reason = escape(silence.reason, limit=500)
    return f"🔕 <@{escape(silence.owner)}> silenced {code(silence.what)} until {until}: {reason}"


def _cancel_button(planned: PlannedSilence) -> Block:
    return command_button("Cancel it", f"silence {CANCEL} {planned.id}")


def _planned(planned: PlannedSilence) -> dict[str, object]:
    return {
        "planned": planned.id,
        "what": planned.what,
        "owner": planned.owner,
        "reason": planned.reason,
        "begins_at": planned.begins_at.isoformat(),
        "ends_at": planned.ends_at.isoformat(),
        "recurrence": planned.again,
    }


def _end(silence: Silence) -> Block:
    return command_button("End it", f"silence end {silence.id}")


def _data(silence: Silence) -> dict[str, object]:
    return {
        "id": silence.id,
        "what": silence.what,
        "owner": silence.owner,
        "reason": silence.reason,
        "created_at": silence.created_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "in_advance": silence.in_advance,
        "outcome": silence.outcome,
    }


END, CANCEL = "end", "cancel"
PLANNED_EXAMPLE = "silence ingest sat 02:00 for 2h every week backup"
FURTHEST = timedelta(days=366)
LONGEST = timedelta(days=7)  # a longer silence would be forgotten
EXAMPLE = "silence ingest 2h we move the queue"


async def answer_silence(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    first = request.words[0].lower() if request.words else ""
    if first == END:
        return await _lift(request, world, approval_service)
    if first == CANCEL:
        return await _cancel(request, world, approval_service)
    now, zone = datetime.now(UTC), await requester_zone(request, world, approval_service)
    what, when, words = parse(request.words, world.known_services, now, zone)
    if not words and when.begins is None:
        return reasons_answer(what, " ".join(request.words[1:]))
    reason = parse_reason(words, EXAMPLE)
    services = _touched(what)
    person = await need_right(SILENCE, services, request, world, approval_service, failed="Nothing was silenced")
    database = need_database(world)
    assert when.ends is not None  # noqa: S101 - `parse` refuses it
    if when.begins is not None:
        planned = await plan_silence(
            database, what=what, when=when, reason=reason, person=person, delivery=request.delivery
        )
        return planned_answer(planned)
    lasts = when.ends - now
    made = await silence(database, what=what, lasts=lasts, reason=reason, person=person, delivery=request.delivery)
    return silenced_answer(made)


def _touched(what: str) -> Collection[Service]:
    """The services for which the person needs the right: all that have an alert of this rule."""
    about = (names.service_of(name) for name in names.covered(what))
    return {service for service in about if service is not None}


async def plan_silence(
    database: Database, *, what: str, when: Written, reason: str, person: Person, delivery: str | None = None
) -> PlannedSilence:
    """Plan a silence of `what`, once per delivery. Raises as `write` and `note_done`."""
    assert when.begins is not None and when.ends is not None  # noqa: S101, PT018 - a planned one has both
    async with write(database, delivery, shown_by=SHOWN_BY) as conn:
        await note_done(conn, delivery, shown_by=SHOWN_BY)
        made = await alerts.create_planned_silence(
            conn,
            what=what,
            owner=person.user_id,
            reason=reason,
            begins_at=when.begins,
            ends_at=when.ends,
            recurrence=when.recurrence,
        )
        await notify_refresh(conn)
        details = {"planned": made.id, "what": what, "begins_at": made.begins_at.isoformat(), "reason": reason}
        await append_audit(conn, actor=person.user_id, event="silence.planned", run_id=None, details=details)
    return made


async def _cancel(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    no_more(request.words, 2)
    number = read_number(request.words[1]) if len(request.words) > 1 else None
    if number is None:
        raise UsageError("Which planned silence?", why="its number is missing", what_next="`silences` lists them.")
    gone = OperatorError(
        f"Planned silence {number} was not cancelled",
        why="no planned silence has this number",
        what_next="See `silences`.",
    )
    person = await _permit_end(
        list_planned_silences, number, request, world, approval_service, gone=gone, failed="No silence was cancelled"
    )
    async with write(need_database(world), request.delivery, shown_by=SHOWN_BY) as conn:
        ended = await alerts.end_planned_silence(conn, id=number)
        if ended is not None:
            await note_done(conn, request.delivery, shown_by=SHOWN_BY)
            details = {"planned": ended.id, "what": ended.what}
            await append_audit(conn, actor=person.user_id, event="silence.cancelled", run_id=None, details=details)
    if ended is None:
        raise gone
    return cancelled_answer(ended, by=person.user_id)


async def _permit_end(
    list_them: Callable[[Connection], Awaitable[Sequence[Silence | PlannedSilence]]],
    number: int,
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
    *,
    gone: OperatorError,
    failed: str,
) -> Person:
    """Return the requester if they may silence this silence's target. Raises `gone` if there is no such silence."""
    async with need_database(world).read() as conn:
        found = next((one for one in await list_them(conn) if one.id == number), None)
    if found is None:
        await check_not_done_before(request, world, shown_by=SHOWN_BY)
        raise gone
    return await need_right(SILENCE, _touched(found.what), request, world, approval_service, failed=failed)


async def answer_silences(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    found = await world.read(_read_silences)
    return unavailable_answer("silences", found) if isinstance(found, Unavailable) else silences_answer(*found)


async def _read_silences(conn: Connection) -> tuple[list[Silence], list[PlannedSilence]]:
    return await list_silences(conn), await list_planned_silences(conn)


def parse(
    words: Sequence[str], services: Collection[Service], now: datetime, zone: ZoneInfo
) -> tuple[str, Written, Sequence[str]]:
    """Parse target, time (`begins` None: now), and the words of the reason, maybe none. Raises UsageError."""
    if len(words) < 2:
        why = "a target and a time span are needed" if not words else "the time span is missing"
        raise UsageError("Nothing was silenced", why=why, what_next=f"Write `{EXAMPLE}`, or `{PLANNED_EXAMPLE}`.")
    when, reason = take_when(words[1:], now, zone)
    if when.ends is None:
        word = reason[0] if reason and when.begins is None else " ".join(words[1:])
        what_next = f"Write a number and a unit (`90s`, `2 hours`), or a time: `{PLANNED_EXAMPLE}`."
        raise wrong_word(word, "is not a time span", what_next)
    is_now = when.begins is None or (when.begins <= now and when.recurrence is None)
    begins = now if when.begins is None or is_now else when.begins
    if not timedelta(seconds=1) <= when.ends - begins <= LONGEST or begins - now > FURTHEST:
        raise wrong_word(" ".join(words[1:]), "is out of range", f"Use 1 s to {age(LONGEST)}, within a year.")
    return need_what(words[0], services), replace(when, begins=None) if is_now else when, reason


def need_what(word: str, services: Collection[Service]) -> str:
    """Return the alert, rule or service that the word names. Raises UsageError for other words and other services."""
    what = names.find_what(word)
    service = names.service_of(what) if what else None
    if service is not None and service not in services:
        raise is_foreign(service, services)
    if what is None:
        meant = names.nearest(word, services)
        hint = f"Did you mean `{meant}`? " if meant else ""
        what_next = f"{hint}Use a service, a rule such as `heartbeats`, or one alert such as `heartbeats.ingest`."
        raise wrong_word(word, "is neither an alert nor a service", what_next, meant=meant)
    return what


async def _lift(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    no_more(request.words, 2)
    if len(request.words) < 2:
        raise UsageError("Which silence?", why="its number is missing", what_next="`silences` lists them.")
    silence_id = read_number(request.words[1])
    if silence_id is None:
        raise wrong_word(request.words[1], "is not the number of a silence", "`silences` lists them.")
    gone = OperatorError(
        f"Silence {silence_id} was not ended", why="no active silence has this number", what_next="See `silences`."
    )
    person = await _permit_end(
        list_silences, silence_id, request, world, approval_service, gone=gone, failed="No silence was ended"
    )
    ended = await lift(need_database(world), silence_id=silence_id, person=person, delivery=request.delivery)
    if ended is None:
        raise gone
    return ended_answer(ended, by=person.user_id)
