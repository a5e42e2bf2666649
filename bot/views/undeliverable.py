"""What is said in place of a page that Slack does not take where it belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.commands._contract import Block
from bot.views.blocks import context
from bot.views.message import fit_message
from bot.views.text import escape
from services.domain.slack_refusals import place_words


def direct_message(
    text: str, blocks: Sequence[Mapping[str, Any]], *, channel: str, code: str
) -> tuple[str, list[Block]]:
    """The page itself, for one person, and why it is sent to them. `code`: Slack's word for the refusal."""
    where = f"#{escape(channel)}" if channel[:1].islower() else "its place"
    note = f"Sent to you directly, because it can't be posted to {where}: {escape(place_words(code))}."
    return fit_message(text, [context(note), *map(dict, blocks)])


def direct_answer(text: str, blocks: Sequence[Mapping[str, Any]], *, code: str | None) -> tuple[str, list[Block]]:
    """An answer for whoever asked where the bot can't answer. `code`: Slack's word for a refusal, or None."""
    why = f": {escape(place_words(code))}" if code else ""
    note = f"Sent to you directly, because it can't be posted where you asked{why}."
    return fit_message(text, [context(note), *map(dict, blocks)])


def pager_words(environment: str | None, code: str) -> str:
    """For whoever is rung because the page reached nobody in Slack. Nothing of the page itself leaves Slack."""
    return (
        f"{environment or 'environment unknown'}: a page could not be posted in Slack ({code}) and reached nobody there"
        "; run dragonfly check-config"
    )
