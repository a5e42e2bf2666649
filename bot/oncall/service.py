"""The on-call service: substitutes, swaps, and taking a shift over; each act is one transaction with its messages."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from bot.admission import AuditLimit, Count, times
from bot.approvals.access import Allowed, Refused, Verdict
from bot.approvals.decisions import person_of
from bot.oncall import overrides
from bot.oncall.handover_lines import add_note
from bot.oncall.overrides import Desired, SlackOnly
from bot.oncall.responders import may_respond
from bot.repeats import refuse_repeat
from bot.slack_directory import Groups
from bot.types import Request
from bot.views.text import date_token, escape, mention
from bot.wake_ups import WakeUps
from bot.writes import check_not_done, note_done, write
from services.clients.postgres import oncall, oncall_changes
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.errors import OperatorError
from services.domain.message_origin import slash
from services.domain.oncall import Override, Schedule, holder, levels_without_a_phone, repeated_levels
from services.domain.people import Person
from services.domain.shifts import Shift, Swap, SwapState, end_of_shift, find_shift, is_whole

T = TypeVar("T")
SHOWN_BY = "oncall"
SEE = "`oncall` shows who is on call."
NO_NOTE_YET = "In the first minute of a shift, try again after it. Otherwise, write it in the channel."


class OnCallService:
    """Changes who is on call; one per process.

    `schedule` returns the one in force. `responders`: Slack ids of users and groups who may change who is on call.
    `channel`: where changes are posted.
    """

    def __init__(
        self,
        database: Database,
        schedule: Callable[[], Schedule | None],
        groups: Groups,
        responders: Sequence[str],
        audit_limit: AuditLimit,
        wake_ups: WakeUps,
        *,
        channel: str,
    ) -> None:
        self._database = database
        self._read_schedule = schedule
        self._groups = groups
        self.responders = frozenset(responders)
        self._audit_limit = audit_limit
        self._wake_ups = wake_ups
        self._channel = channel

    async def override(
        self, request: Request, desired: Desired, *, slack_only: bool = False
    ) -> str | SlackOnly | Refused:
        """Put a substitute on call; return the outcome, in mrkdwn.

        SlackOnly: nothing changed, because a level would lose its last phone and `slack_only` is False. Open incidents
        keep the escalation chain with which they began.
        """
        gone = await self._why_not_on_call(desired.user_id)
        if gone is not None:
            return gone

        async def act(conn: Connection, person: Person) -> str | SlackOnly:
            return await self._put_on_call(conn, desired, person, slack_only=slack_only)

        details = {"rotation": desired.rotation, "user": desired.user_id, "until": desired.ends_at.isoformat()}
        if desired.begins_at is not None:
            details["from"] = desired.begins_at.isoformat()
        return await self._change(request, "oncall.override", details, act)

    async def take_shift(
        self, request: Request, *, rotation: str, ends_at: datetime | None, slack_only: bool = False
    ) -> str | SlackOnly | Refused:
        """Put the requester on call from now on, until `ends_at` or the end of the present shift."""

        async def act(conn: Connection, person: Person) -> str | SlackOnly | Refused:
            if ends_at is None and await self._holder(conn, rotation) == person.user_id:
                return Refused(f"you're already on call for {rotation}", SEE)
            until = ends_at or await self._end_of_shift(conn, rotation)
            if until is None:
                return Refused("the on-call file does not say when this shift ends", "Add `for 2h`.")
            desired = Desired(rotation, person.user_id, until)
            return await self._put_on_call(conn, desired, person, slack_only=slack_only)

        return await self._change(request, "oncall.override", {"rotation": rotation, "taken": True}, act)

    async def end_override(self, request: Request, *, rotation: str) -> str | Refused:
        """End the override that holds now; return the outcome, in mrkdwn."""

        async def act(conn: Connection, person: Person) -> str:
            ended = await overrides.end(conn, self._schedule, channel=self._channel, rotation=rotation, by=person)
            if ended:
                return f"{rotation}: the on-call file applies again."
            later = [one for one in await oncall.list_overrides(conn) if one.rotation == rotation]
            hint = f" One begins later: `oncall override end {later[0].id}` cancels it." if later else ""
            return f"{rotation}: there was no override.{hint}"

        return await self._change(request, "oncall.override", {"rotation": rotation, "user": None}, act)

    async def cancel_override(self, request: Request, override_id: int) -> str | Refused:
        """End the override with this id, or cancel it before it begins; return the outcome."""

        async def act(conn: Connection, person: Person) -> str | Refused:
            ended = await overrides.end_one(
                conn, self._schedule, channel=self._channel, override_id=override_id, by=person
            )
            if ended is None:
                return Refused(f"no current or later override is number {override_id}", SEE)
            return f"Override {override_id} is cancelled. Everyone affected was notified."

        return await self._change(request, "oncall.override", {"override": override_id, "user": None}, act)

    async def take_override(self, request: Request, override_id: int) -> str | Refused:
        """Confirm the override for its substitute; return the outcome, in mrkdwn."""

        async def act(conn: Connection, person: Person) -> str | Refused:
            taken = await overrides.take(conn, channel=self._channel, override_id=override_id, user_id=person.user_id)
            if taken is None:
                return Refused("this override is not yours, or it has ended", SEE)
            begins = f" from {date_token(taken.begins_at)}" if taken.begins_at > taken.created_at else ""
            return f"You are on call for {taken.rotation}{begins} until {date_token(taken.ends_at)}."

        return await self._change(request, "oncall.taken", {"override": override_id}, act, everyone=True)

    async def add_note(self, request: Request, *, rotation: str, text: str) -> str | Refused:
        """Add a line for the next shift below the note with which the present one began."""

        async def act(conn: Connection, person: Person) -> str | Refused:
            schedule = self._schedule
            is_added = schedule is not None and await add_note(
                conn, schedule, rotation, person.user_id, text, channel=self._channel
            )
            if not is_added:
                return Refused(f"the current shift of {rotation} has no handover note", NO_NOTE_YET)
            return "Added to the handover note."

        return await self._change(request, "oncall.noted", {"rotation": rotation}, act)

    async def calendar_token(self, request: Request, *, rotation: str, renew: bool) -> str | Refused:
        """Return the token of a rotation's calendar, or (`rotation` empty) the requester's own. `renew`: replace it."""

        async def act(conn: Connection, person: Person) -> str:
            return await oncall_changes.store_calendar_feed(
                conn, user_id=person.user_id, rotation=rotation, token=secrets.token_hex(16), renew=renew
            )

        details = {"rotation": rotation, "renewed": renew}
        return await self._change(request, "oncall.calendar", details, act)

    async def offer_swap(
        self, request: Request, *, rotation: str, other_user: str, mine: datetime | None, theirs: datetime | None
    ) -> str | Refused:
        """Ask another person to swap: the requester's shift (at `mine`, or the next one) for theirs (at `theirs`)."""

        async def act(conn: Connection, person: Person) -> str | Refused:
            now, known = await read_clock(conn), await oncall.list_overrides(conn)
            own = self._find_shift(rotation, person.user_id, max(mine or now, now), known)
            other = self._find_shift(rotation, other_user, max(theirs or now, now), known)
            for user, shift in ((person.user_id, own), (other_user, other)):
                if shift is None:
                    return Refused(f"{mention(user)} has no shift of {rotation} in the next 3 months", SEE)
            assert own is not None and other is not None  # noqa: S101, PT018 - both were found
            swap = await oncall_changes.add_swap(
                conn,
                rotation=rotation,
                user_id=person.user_id,
                team_id=person.team_id,
                other_user=other_user,
                begins_at=own.begins,
                ends_at=own.ends,
                other_begins_at=other.begins,
                other_ends_at=other.ends,
            )
            await overrides.offer_swap(conn, swap, channel=self._channel)
            return f"{mention(other_user)} was asked. Nothing changes until they accept."

        if (person := person_of(request.actor)) is not None and person.user_id == other_user:
            return Refused("a swap needs another person", "Name them: `oncall swap @ben`.")
        return await self._change(request, "oncall.swap_offered", {"rotation": rotation, "user": other_user}, act)

    async def settle_swap(self, request: Request, swap_id: int, state: SwapState) -> str | Refused:
        """Accept or decline a swap for the person who was asked, or withdraw it for its requester."""

        async def act(conn: Connection, person: Person) -> str | Refused:
            swap = await oncall_changes.read_swap(conn, swap_id=swap_id)
            expected = None if swap is None else swap.user_id if state is SwapState.WITHDRAWN else swap.other_user
            if swap is None or expected != person.user_id:
                return Refused(f"no swap {swap_id} waits for you", SEE)
            return await self._settle_swap(conn, swap, state, person)

        return await self._change(request, f"oncall.swap_{state}", {"swap": swap_id}, act, everyone=True)

    async def _settle_swap(self, conn: Connection, swap: Swap, state: SwapState, person: Person) -> str | Refused:
        if swap.state is not SwapState.OFFERED:
            return Refused(f"swap {swap.id} is already {swap.state}", SEE)
        schedule = self._schedule
        if schedule is None:
            return Refused("the on-call file cannot be used", "`check-config` names the line.")
        if state is SwapState.ACCEPTED and not await self._is_possible(conn, schedule, swap):
            return Refused("the shifts of this swap have changed", "Ask for another one: `oncall swap`.")
        settled = await oncall_changes.settle_swap(conn, swap_id=swap.id, state=state)
        if settled is None:
            return Refused(f"swap {swap.id} is already settled", SEE)
        await overrides.settle_swap(conn, schedule, settled, channel=self._channel, by=person)
        return f"Swap {swap.id} is {state}."

    async def _is_possible(self, conn: Connection, schedule: Schedule, swap: Swap) -> bool:
        """True if each person is still on call for all of the shift that they give away, and neither shift is over."""
        now, known = await read_clock(conn), await oncall.list_overrides(conn)
        mine = Shift(swap.rotation, max(swap.begins_at, now), swap.ends_at, schedule.person_of(swap.user_id))
        theirs = Shift(
            swap.rotation, max(swap.other_begins_at, now), swap.other_ends_at, schedule.person_of(swap.other_user)
        )
        return all(is_whole(schedule, shift, known) for shift in (mine, theirs))

    @property
    def _schedule(self) -> Schedule | None:
        return self._read_schedule()

    def _find_shift(self, rotation: str, user_id: str, since: datetime, known: Sequence[Override]) -> Shift | None:
        return find_shift(self._schedule, rotation, user_id, since, known) if self._schedule else None

    async def _holder(self, conn: Connection, rotation: str) -> str | None:
        """The Slack id of the person on call for a rotation now."""
        now, known = await read_clock(conn), await oncall.list_overrides(conn)
        found = holder(self._schedule, rotation, now, known) if self._schedule else None
        return found.slack if found else None

    async def _end_of_shift(self, conn: Connection, rotation: str) -> datetime | None:
        now, known = await read_clock(conn), await oncall.list_overrides(conn)
        return end_of_shift(self._schedule, rotation, now, known) if self._schedule else None

    async def _put_on_call(
        self, conn: Connection, desired: Desired, person: Person, *, slack_only: bool
    ) -> str | SlackOnly:
        levels = () if slack_only else await self._levels_losing_targets(conn, desired, person)
        if levels:
            return SlackOnly(levels)
        made = await overrides.put_on_call(conn, self._schedule, desired, channel=self._channel, by=person)
        begins = f"from {date_token(made.begins_at)} " if made.begins_at > made.created_at else ""
        words = (
            f"{mention(made.user_id)} is on call for {made.rotation} {begins}until {date_token(made.ends_at)}. "
            "Everyone affected was notified."
        )
        return words + await self._repeated_words(conn, made.begins_at)

    async def _change(
        self,
        request: Request,
        event: str,
        details: Mapping[str, object],
        act: Callable[[Connection, Person], Awaitable[T | Refused]],
        *,
        everyone: bool = False,
    ) -> T | Refused:
        """Do one act, or refuse it, with its audit row. `everyone`: allow each member; `act` then checks the person."""
        person = person_of(request.actor)
        if person is None:
            raise OperatorError(
                "The schedule did not change",
                why="the terminal does not identify you",
                what_next=f"Type it in Slack, behind `{slash()}`.",
            )
        verdict: Verdict
        people = await self._groups.people(person.user_id)
        if everyone:
            stranger = people.stranger(person)
            verdict = Refused(stranger, "Ask a member of our workspace.") if stranger else Allowed()
        else:
            verdict = may_respond(person, people, self.responders)
        with self._audit_limit.counting() as count:
            async with write(self._database, request.delivery, shown_by=SHOWN_BY) as conn:
                if isinstance(verdict, Refused):
                    await self._audit_refusal(conn, count, event, person, verdict)
                    return verdict
                await oncall.lock_oncall(conn)
                outcome = await refuse_repeat(conn, person, event) or await act(conn, person)
                if isinstance(outcome, Refused | SlackOnly):
                    await check_not_done(conn, request.delivery, shown_by=SHOWN_BY)
                if isinstance(outcome, Refused):
                    await self._audit_refusal(conn, count, event, person, outcome)
                elif not isinstance(outcome, SlackOnly):
                    await note_done(conn, request.delivery, shown_by=SHOWN_BY)
                    shown = {**details, "team": person.team_id}
                    await append_audit(conn, actor=person.user_id, event=event, run_id=None, details=shown)
        self._wake_ups.outbox.set()
        return outcome

    async def _audit_refusal(
        self, conn: Connection, count: Count, event: str, person: Person, refused: Refused
    ) -> None:
        """Audit a refusal; at most one row per person, event and minute."""
        due = count(person.user_id, event)
        if due is not None:
            details = {"why": refused.why, "team": person.team_id, **times(due)}
            await append_audit(conn, actor=person.user_id, event=f"{event}.refused", run_id=None, details=details)

    async def _why_not_on_call(self, user_id: str) -> Refused | None:
        """Refuse an account that can't be paged: a deactivated one, or one that is not a person's."""
        people = await self._groups.people(user_id)
        if not people.is_barred(user_id):
            return None
        return Refused(f"{mention(user_id)} is not an active member of our workspace", "Put another person on call.")

    async def _repeated_words(self, conn: Connection, at: datetime) -> str:
        """Warn, in mrkdwn, of levels that page the same person from then on; empty if there are none."""
        if self._schedule is None:
            return ""
        found = repeated_levels(self._schedule, at, await oncall.list_overrides(conn))
        return "".join(f"\n⚠️ {escape(one.words, limit=200)}" for one in found)

    async def _levels_losing_targets(self, conn: Connection, desired: Desired, by: Person) -> tuple[int, ...]:
        """The numbers of the levels that would have no phone with this override."""
        if self._schedule is None:
            return ()
        now = await read_clock(conn)
        begins = max(desired.begins_at or now, now)
        standing_in = Override(0, desired.rotation, desired.user_id, begins, desired.ends_at, by, now)
        known = await oncall.list_overrides(conn)
        return tuple(levels_without_a_phone(self._schedule, begins, known, standing_in))
