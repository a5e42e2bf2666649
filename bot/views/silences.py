"""Planned silences, as people read them before and as they begin."""

from __future__ import annotations

from datetime import datetime

from bot.types import Block
from bot.views.blocks import actions, command_button, fit_message, section
from bot.views.text import code, date_token, escape, mention
from services.domain.alerts import PlannedSilence
from services.domain.text import age

Content = tuple[str, list[Block]]


def planned_line(planned: PlannedSilence) -> str:
    """Who silences what, when, and why, in mrkdwn."""
    again = f", {escape(planned.again)}" if planned.again else ""
    span = f"from {date_token(planned.begins_at)} until {date_token(planned.ends_at)}{again}"
    return f"🔕 {mention(planned.owner)} silences {code(planned.what)} {span}: {escape(planned.reason, limit=500)}"


def soon_message(planned: PlannedSilence, now: datetime) -> Content:
    """To its owner, an hour before."""
    line = f"⏰ Your planned silence begins in {age(planned.begins_at - now)}. {planned_line(planned)}"
    return fit_message(line, [section(line), *actions([command_button("Cancel it", f"silence cancel {planned.id}")])])


def begun_message(planned: PlannedSilence, silence_id: int) -> Content:
    """In the channel, as it begins."""
    until, reason = date_token(planned.ends_at), escape(planned.reason, limit=500)
    line = f"🔕 {code(planned.what)} is silenced until {until}, as {mention(planned.owner)} planned: {reason}"
    return fit_message(line, [section(line), *actions([command_button("End it", f"silence end {silence_id}")])])


def unreadable_message(planned: PlannedSilence) -> Content:
    """In the channel, when it is not known when it comes again."""
    what, reason = code(planned.what), escape(planned.reason, limit=500)
    line = (
        f"⚠️ {mention(planned.owner)}: planned silence {planned.id} of {what} won't come again: this version can't read "
        f"its schedule. Plan it again with `silence`, or deploy the version that stored it. Its reason: {reason}"
    )
    return fit_message(line, [section(line), *actions([command_button("Cancel it", f"silence cancel {planned.id}")])])
