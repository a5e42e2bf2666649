"""Messages on overrides and swaps: for the channel, for people whose shifts move, and questions before a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.text import date_token, escape, mention
from playbooks.model import Status
from services.domain.oncall import OnCallPerson, Override
from services.domain.shifts import Move, ShiftReminder, Swap, SwapState

Content = tuple[str, list[Block]]
MOST_LINES = 10  # moves that are listed


def override_message(override: Override, relieved: Sequence[str]) -> Content:
    """For the channel: a new override. `relieved`: Slack ids of the people it relieves."""
    line = f"📟 {_is_on_call(override, relieved)}"
    if override.confirmed_at is not None:
        notes, buttons = f"✅ {mention(override.user_id)} confirms it", []
    else:
        notes, buttons = f"{mention(override.user_id)} has not confirmed it yet", [_take(override)]
    if _is_later(override):
        buttons.append(command_button("Cancel it", f"oncall override end {override.id}"))
    arranged = f"arranged by {mention(override.by.user_id)}"
    return fit_message(f"{line}. {notes}", [section(line), *actions(buttons), context(notes, arranged)])


def put_on_call_message(override: Override, relieved: Sequence[str]) -> Content:
    """To the substitute: asks for the confirmation."""
    line = f"📟 You are on call for *{_rotation(override)}*{_instead(override, relieved)}{_from(override)} until"
    line += f" {date_token(override.ends_at)}"
    arranged = context(f"arranged by {mention(override.by.user_id)}")
    if override.confirmed_at is not None:
        return fit_message(f"{line}. You confirmed it.", [section(f"{line}. ✅ You confirmed it."), arranged])
    buttons = [_take(override), command_button("On call", "oncall")]
    return fit_message(f"{line}. Can you take it?", [section(f"{line}. Can you take it?"), *actions(buttons), arranged])


def relieved_by(override: Override, moved: Sequence[Move]) -> list[str]:
    """Slack ids of the people whose shifts the override takes, by time, without duplicates."""
    before = [move.before.slack for move in moved if move.before and _is(move.after, override.user_id)]
    return list(dict.fromkeys(before))


def moved_messages(override: Override, moved: Sequence[Move]) -> dict[str, Content]:
    """`{Slack id: message}` for everyone whose shifts the override changes. The substitute, whom `put_on_call_message`
    asks, gets one only about lost shifts, of an override that this one ended."""
    messages = {}
    for user in moved_people(moved):
        lines = [line for move in moved if (line := _moved_line(override, move, user))]
        if lines:
            messages[user] = _moved_message(override, lines[:MOST_LINES])
    return messages


def _moved_line(override: Override, move: Move, user: str) -> str | None:
    """The effect of a move on this person; None if there is none, or if another message covers it."""
    span = f"{_from(override, move.begins)} until {date_token(move.ends)}"
    if _is(move.before, user):
        return f"📟 {_who(move.after)} is on call for *{_rotation(override)}* instead of you{span}"
    if _is(move.after, user) and user != override.user_id:
        return f"📟 You are on call for *{_rotation(override)}* instead of {_who(move.before)}{span}"
    return None


def _moved_message(override: Override, lines: Sequence[str]) -> Content:
    text, note = "\n".join(lines), context(f"arranged by {mention(override.by.user_id)}")
    return fit_message(text, [section(text), *actions([command_button("On call", "oncall")]), note])


def ended_message(rotation: str, now_on_call: str | None, by: str) -> Content:
    """For the channel and both people: the override ended, and the on-call file applies again."""
    who = mention(now_on_call) if now_on_call else "no one"
    line = f"📟 *{escape(rotation, limit=100)}* follows the on-call file again: {who} is on call"
    return fit_message(line, [section(line), context(f"arranged by {mention(by)}")])


def cancelled_message(ended: Override, moved: Sequence[Move], by: str) -> Content:
    """For the channel and everyone whose shifts move: an override was cancelled. `moved`: the moves."""
    first = (
        f"📟 {mention(ended.user_id)} no longer covers *{_rotation(ended)}*{_from(ended)} until "
        f"{date_token(ended.ends_at)}"
    )
    lines = [first, *move_lines(moved)]
    return fit_message(first, [section("\n".join(lines)), context(f"arranged by {mention(by)}")])


def move_lines(moved: Sequence[Move]) -> list[str]:
    """One line per period in which another person is on call than before."""
    lines = [
        f"• *{escape(move.rotation, limit=100)}* {date_token(move.begins)} until {date_token(move.ends)}: "
        f"{_who(move.after)} instead of {_who(move.before)}"
        for move in moved[:MOST_LINES]
    ]
    left = len(moved) - MOST_LINES
    return [*lines, f"… and {left} more"] if left > 0 else lines


def moved_people(moved: Sequence[Move]) -> list[str]:
    """Slack ids of everyone whose shifts move, without duplicates."""
    people = [person.slack for move in moved for person in (move.before, move.after) if person]
    return list(dict.fromkeys(people))


def reminder_message(reminder: ShiftReminder, now_on_call: OnCallPerson | None, *, now: datetime) -> Content:
    """Reminder 1 day and 1 h before a changed shift. `now_on_call`: the person on call in that shift, as known now."""
    span = f"from {date_token(reminder.begins_at)} until {date_token(reminder.ends_at)}"
    hours = round((reminder.begins_at - now).total_seconds() / 3600)
    when = f"in {hours} h" if hours > 1 else "in 1 h"
    rotation = escape(reminder.rotation, limit=100)
    if reminder.gains:
        line = f"⏰ Your changed shift begins {when}: you are on call for *{rotation}* {span}"
    else:
        line = (
            f"⏰ Your schedule changes {when}: {_who(now_on_call)} is on call for *{rotation}* instead of you, {span}"
        )
    return fit_message(line, [section(line), *actions([command_button("On call", "oncall")])])


_OUTCOMES = {
    SwapState.ACCEPTED: "✅ {other} accepted",
    SwapState.DECLINED: "🔴 {other} declined: nothing changed",
    SwapState.WITHDRAWN: "⚫ {requester} withdrew it: nothing changed",
}


def swap_message(swap: Swap) -> Content:
    """For the channel and the other person: a swap of two shifts, with buttons while it is open."""
    requester, other = mention(swap.user_id), mention(swap.other_user)
    verb = "asks {} to swap" if swap.state is SwapState.OFFERED else "and {} swap"
    line = (
        f"🔁 {requester} {verb.format(other)} shifts of *{escape(swap.rotation, limit=100)}*: {other} takes "
        f"{date_token(swap.begins_at)} until {date_token(swap.ends_at)}, {requester} takes "
        f"{date_token(swap.other_begins_at)} until {date_token(swap.other_ends_at)}"
    )
    if swap.state is not SwapState.OFFERED:
        outcome = _OUTCOMES[swap.state].format(requester=requester, other=other)
        return fit_message(f"{line}. {outcome}", [section(line), context(outcome)])
    note = f"{other} has not answered yet: nothing changed so far"
    buttons = [
        command_button("Accept", f"oncall swap accept {swap.id}", style="primary"),
        command_button("Decline", f"oncall swap decline {swap.id}"),
    ]
    return fit_message(f"{line}. {note}", [section(line), *actions(buttons), context(note)])


def slack_only_answer(user_id: str, levels: Sequence[int], line: str) -> Answer:
    """Ask for confirmation if an override leaves levels without a phone. `line`: the command that continues."""
    numbers = f"level{'s' if len(levels) > 1 else ''} {' and '.join(map(str, levels))}"
    words = (
        f"⚠️ {mention(user_id)} has no phone in the on-call file: {numbers} would reach people in Slack only. "
        "Nothing changed yet. Continue?"
    )
    blocks = [section(words), *actions([command_button("Continue", line, style="danger")])]
    data = {"asked": "slack only", "user": user_id, "levels": list(levels), "go_on": line}
    return Answer(*fit_message(words, blocks), data, Status.WARN, private=True)


def _is_on_call(override: Override, relieved: Sequence[str]) -> str:
    return (
        f"{mention(override.user_id)} is on call for *{_rotation(override)}*{_instead(override, relieved)}"
        f"{_from(override)} until {date_token(override.ends_at)}"
    )


def _instead(override: Override, relieved: Sequence[str]) -> str:
    others = [mention(user) for user in relieved if user != override.user_id]
    return f" instead of {' and '.join(others)}" if others else ""


def _is_later(override: Override) -> bool:
    """True if the override begins later than it was made."""
    return override.begins_at > override.created_at


def _from(override: Override, begins: datetime | None = None) -> str:
    """ " from <time>"; empty for a period that begins with an override that started at once."""
    begins = begins or override.begins_at
    return f" from {date_token(begins)}" if _is_later(override) or begins > override.begins_at else ""


def _is(person: OnCallPerson | None, user_id: str) -> bool:
    return person is not None and person.slack == user_id


def _who(person: OnCallPerson | None) -> str:
    return mention(person.slack) if person else "*no one*"


def _take(override: Override) -> Block:
    return command_button("I'll take it", f"oncall take {override.id}", style="primary")


def _rotation(override: Override) -> str:
    return escape(override.rotation, limit=100)
