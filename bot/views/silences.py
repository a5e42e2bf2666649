"""Messages on planned silences: the line, the reminder, and the start."""

from __future__ import annotations

from datetime import datetime

from bot.types import Block
from bot.views.blocks import actions, command_button, fit_message, section
from bot.views.text import code, date_token, escape, mention
from services.domain.alerts import PlannedSilence
from services.domain.text import age

Content = tuple[str, list[Block]]


def planned_line(planned: PlannedSilence) -> str:
    """Owner, target, time and reason of a planned silence, in mrkdwn."""
    again = f", {escape(planned.again)}" if planned.again else ""
    span = f"from {date_token(planned.begins_at)} until {date_token(planned.ends_at)}{again}"
    return f"🔕 {mention(planned.owner)} silences {code(planned.what)} {span}: {escape(planned.reason, limit=500)}"


def soon_message(planned: PlannedSilence, now: datetime) -> Content:
    """Reminder to the owner, 1 h before."""
    line = f"⏰ Your planned silence begins in {age(planned.begins_at - now)}. {planned_line(planned)}"
    return fit_message(line, [section(line), *actions([command_button("Cancel it", f"silence cancel {planned.id}")])])


def begun_message(planned: PlannedSilence, silence_id: int) -> Content:
    """For the channel: the planned silence begins."""
    until, reason = date_token(planned.ends_at), escape(planned.reason, limit=500)
    line = f"🔕 {code(planned.what)} is silenced until {until}, as {mention(planned.owner)} planned: {reason}"
    return fit_message(line, [section(line), *actions([command_button("End it", f"silence end {silence_id}")])])


def unreadable_message(planned: PlannedSilence) -> Content:
    """For the channel: the schedule of a recurring silence can't be read, so it will not recur."""
    what, reason = code(planned.what), escape(planned.reason, limit=500)
    line = (
        f"⚠️ {mention(planned.owner)}: planned silence {planned.id} of {what} won't come again: this version can't read "
        f"its schedule. Plan it again with `silence`, or deploy the version that stored it. Its reason: {reason}"
    )
    return fit_message(line, [section(line), *actions([command_button("Cancel it", f"silence cancel {planned.id}")])])
