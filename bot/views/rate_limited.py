"""That Slack drops events for this app."""

from __future__ import annotations

from datetime import datetime

from bot.commands._contract import Block
from bot.views.blocks import context, section
from bot.views.message import fit_message
from bot.views.text import date_token


def rate_limited_message(at: datetime) -> tuple[str, list[Block]]:
    """What may be lost, and what works all the same."""
    line = f"🟠 Slack drops events for this app since {date_token(at)}: there were over 30,000 in an hour."
    what = "A mention or a Home tab may get no answer. `/dragonfly …` and buttons work."
    return fit_message(f"{line} {what}", [section(line), section(what), context("Slack: `app_rate_limited`")])
