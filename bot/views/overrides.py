"""Who stands in for whom: in the channel, to both of them, and what is asked before a phone is lost."""

from __future__ import annotations

from collections.abc import Sequence

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.text import date_token, escape, mention
from playbooks.model import Status
from services.domain.oncall import Override

Content = tuple[str, list[Block]]


def override_message(override: Override, before: str | None) -> Content:
    """In the channel. `before`: the Slack id of whom it relieves."""
    instead = f" instead of {mention(before)}" if before and before != override.user_id else ""
    line = f"📟 {mention(override.user_id)} is on call for *{_rotation(override)}*{instead} until {_end(override)}"
    if override.confirmed_at is not None:
        notes, buttons = f"✅ {mention(override.user_id)} confirms it", []
    else:
        notes, buttons = f"{mention(override.user_id)} has not confirmed it yet", [_take(override)]
    arranged = f"arranged by {mention(override.by.user_id)}"
    return fit_message(f"{line}. {notes}", [section(line), *actions(buttons), context(notes, arranged)])


def put_on_call_message(override: Override, before: str | None) -> Content:
    """To the substitute."""
    instead = f" instead of {mention(before)}" if before and before != override.user_id else ""
    line = f"📟 You are on call for *{_rotation(override)}*{instead} until {_end(override)}"
    arranged = context(f"arranged by {mention(override.by.user_id)}")
    if override.confirmed_at is not None:
        return fit_message(f"{line}. You take it.", [section(f"{line}. ✅ You take it."), arranged])
    buttons = [_take(override), command_button("On call", "oncall")]
    return fit_message(f"{line}. Do you take it?", [section(f"{line}. Do you take it?"), *actions(buttons), arranged])


def relieved_message(override: Override) -> Content:
    """To the person who was on call until then."""
    line = (
        f"📟 {mention(override.user_id)} is on call for *{_rotation(override)}* instead of you until {_end(override)}"
    )
    note = context(f"arranged by {mention(override.by.user_id)}")
    return fit_message(line, [section(line), *actions([command_button("On call", "oncall")]), note])


def ended_message(rotation: str, now_on_call: str | None, by: str) -> Content:
    """In the channel and to both: the file holds again."""
    who = mention(now_on_call) if now_on_call else "no one"
    line = f"📟 *{escape(rotation, limit=100)}* follows the on-call file again: {who} is on call"
    return fit_message(line, [section(line), context(f"arranged by {mention(by)}")])


def slack_only_answer(user_id: str, levels: Sequence[int], line: str) -> Answer:
    """What is asked first. `line`: the command that goes on."""
    numbers = " and ".join(map(str, levels))
    words = (
        f"⚠️ {mention(user_id)} has no phone in the on-call file: level {numbers} would be Slack only. Nothing changed "
        "yet. Go on?"
    )
    blocks = [section(words), *actions([command_button("Go on", line, style="danger")])]
    data = {"asked": "slack only", "user": user_id, "levels": list(levels), "go_on": line}
    return Answer(*fit_message(words, blocks), data, Status.WARN, private=True)


def _take(override: Override) -> Block:
    return command_button("I take it", f"oncall take {override.id}", style="primary")


def _rotation(override: Override) -> str:
    return escape(override.rotation, limit=100)


def _end(override: Override) -> str:
    return date_token(override.ends_at)
