"""`freeze`, `lock` and `unfreeze`: hold changes of services back for a period or in recurring windows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.commands.arguments import need_service, no_more, parse_reason, parse_service, read_number, wrong_word
from bot.commands.context import MOST_OFFERED, check_not_done_before, need_database, need_right, requester_zone
from bot.config.environment import require
from bot.config.policy import FREEZE, Right
from bot.freezes.store import lift_freezes, store_freeze
from bot.repeats import check_repeat
from bot.types import Answer, Request
from bot.views.findings import unavailable_answer
from bot.views.freezes import freezes_answer, lifted_answer, made_answer
from bot.views.text import escape
from bot.writes import note_done, write
from services.clients.postgres.audit import append_audit
from services.domain.errors import Choice, OperatorError, SourceError, Unavailable, UsageError
from services.domain.freezes import FREEZE as FREEZE_KIND
from services.domain.freezes import LOCK, Freeze
from services.domain.moments import MomentError, take_span
from services.domain.people import Person
from services.domain.services import Service
from services.domain.windows import Written, take_window

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from bot.approvals.service import ApprovalService
    from bot.world import World

ALL = "all"
SHOWN_BY = "freeze"
LONGEST = timedelta(days=366)
EXAMPLE = "freeze api until 18:00 we move the queue"
LOCK_EXAMPLE = "lock api migration by hand for 2h"
NOT_FROZEN, NOT_LIFTED = "Nothing was frozen", "Nothing was lifted"


@dataclass(frozen=True)
class Wanted:
    """A parsed `freeze` or `lock`. `service`: None for all services."""

    kind: str
    service: Service | None
    when: Written
    reason: str


async def answer_freeze(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    """Create a freeze; without words, list the current freezes."""
    if not request.words:
        found = await world.freezes()
        return unavailable_answer("freezes", found) if isinstance(found, Unavailable) else _listed(found)
    wanted = parse_freeze(request.words, datetime.now(UTC), await requester_zone(request, world, approval_service))
    return await _store(wanted, request, world, approval_service)


async def answer_lock(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    wanted = parse_lock(request.words, datetime.now(UTC))
    return await _store(wanted, request, world, approval_service)


async def answer_unfreeze(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    """Lift a freeze, named by its number or scope. Lifting another person's freeze needs the right to approve."""
    no_more(request.words, 1)
    found = await world.freezes()
    if isinstance(found, Unavailable):
        raise SourceError(found.source, found.why)
    try:
        freeze = pick(found, request.words)
    except OperatorError:
        await check_not_done_before(request, world, shown_by=SHOWN_BY)
        raise
    own = request.actor is not None and request.actor.user_id == freeze.owner
    services = _touched(freeze.service, world)
    right = Right.REQUEST if own else Right.APPROVE
    person = await need_right(FREEZE, services, request, world, approval_service, failed=NOT_LIFTED, right=right)
    async with write(need_database(world), request.delivery, shown_by=SHOWN_BY) as conn:
        channel = require(world.settings.slack).incidents_channel
        lifted = await lift_freezes(conn, [freeze], by=person.user_id, channel=channel)
        if lifted:
            await note_done(conn, request.delivery, shown_by=SHOWN_BY)
        for one in lifted:
            details = {"freeze": one.id, "kind": one.kind, "what": one.scope, "owner": one.owner, "reason": one.reason}
            await append_audit(conn, actor=person.user_id, event="freeze.lifted", run_id=None, details=details)
    if not lifted:
        raise OperatorError(NOT_LIFTED, why=f"freeze {freeze.id} ended just now", what_next="`freeze` lists them.")
    return lifted_answer(lifted)


def parse_freeze(words: Sequence[str], now: datetime, zone: ZoneInfo) -> Wanted:
    """Parse `<all|service> [from …] [until …] [for …] [every …] <why>`. Raises UsageError."""
    service = None if words[0].lower() in (ALL, "everything") else parse_service(words[0])
    try:
        when, rest = take_window(words[1:], now, zone)
    except MomentError as error:
        raise wrong_word(error.word, error.why, error.what_next) from None
    _check(when, now)
    return Wanted(FREEZE_KIND, service, when, parse_reason(rest, EXAMPLE))


def parse_lock(words: Sequence[str], now: datetime) -> Wanted:
    """Parse `<service> <why> [for <how long>]`. Raises UsageError."""
    service, rest, ends = need_service(words, LOCK_EXAMPLE), words[1:], None
    at = next((n for n in range(len(rest) - 1, -1, -1) if rest[n].lower() == "for"), None)
    span = take_span(rest[at + 1 :]) if at is not None else None
    if span is not None and not span[1]:
        rest, ends = rest[:at], now + span[0]
    when = Written(ends=ends)
    _check(when, now)
    return Wanted(LOCK, service, when, parse_reason(rest, LOCK_EXAMPLE))


def pick(freezes: Sequence[Freeze], words: Sequence[str]) -> Freeze:
    """Return the freeze with this number, this service or `all`; without words the only one. Raises OperatorError."""
    fitting = list(freezes)
    number = read_number(words[0]) if words else None
    if number is not None:
        fitting = [one for one in freezes if one.id == number]
    elif words:
        service = None if words[0].lower() in (ALL, "everything") else parse_service(words[0])
        fitting = [one for one in freezes if one.service == service]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise OperatorError(NOT_LIFTED, why="no such freeze is in force", what_next="`freeze` lists those that are.")
    choices = [
        Choice(f"unfreeze {one.id}", f"Lift {one.id}", f"{one.scope}: {escape(one.reason)}")
        for one in fitting[:MOST_OFFERED]
    ]
    raise UsageError("Which freeze?", why=f"{len(fitting)} are in force", what_next="Press one.", choices=choices)


def _check(when: Written, now: datetime) -> None:
    if when.ends is not None and when.recurrence is None and when.ends <= now:
        raise UsageError(NOT_FROZEN, why="its end has already passed", what_next=f"Write `{EXAMPLE}`.")
    if when.ends is not None and when.ends - now > LONGEST:
        raise UsageError(NOT_FROZEN, why="it would last for more than a year", what_next="Name an earlier end.")


async def _store(wanted: Wanted, request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    services = _touched(wanted.service, world)
    person = await need_right(FREEZE, services, request, world, approval_service, failed=NOT_FROZEN)
    async with write(need_database(world), request.delivery, shown_by=SHOWN_BY) as conn:
        await note_done(conn, request.delivery, shown_by=SHOWN_BY)
        await check_repeat(conn, person, "freeze.made", failed=NOT_FROZEN)
        made = await store_freeze(
            conn,
            kind=wanted.kind,
            service=wanted.service,
            owner=person.user_id,
            reason=wanted.reason,
            when=wanted.when,
            channel=require(world.settings.slack).incidents_channel,
        )
        await append_audit(conn, actor=person.user_id, event="freeze.made", run_id=None, details=_details(made, person))
    return made_answer(made, made.created_at)


def _details(made: Freeze, person: Person) -> dict[str, object]:
    return {
        "freeze": made.id,
        "kind": made.kind,
        "what": made.scope,
        "reason": made.reason,
        "starts_at": made.starts_at.isoformat(),
        "ends_at": made.ends_at.isoformat() if made.ends_at else None,
        "every": made.recurrence,
        "team": person.team_id,
    }


def _touched(service: Service | None, world: World) -> Collection[Service]:
    """The services for which the person needs the right."""
    return (service,) if service is not None else world.system.services


def _listed(found: Sequence[Freeze]) -> Answer:
    return freezes_answer(found, datetime.now(UTC))
