"""Notes in an answer: that it is private, and how masked words are stored."""

from __future__ import annotations

import html
from dataclasses import replace

from bot.types import Answer, Block
from bot.views.blocks import context, fit_message, section
from bot.views.terminal import mrkdwn_text
from bot.views.text import escape
from services.domain.errors import OperatorError
from services.domain.masking import mask_message

NOTE = "Only you see this answer: this channel had many answers in the last minute."


def only_for_requester(answer: Answer) -> Answer:
    """Make the answer private, with the reason. Raises OperatorError for a file, which everyone would see."""
    if answer.file is not None:
        raise OperatorError(
            "The file was not sent",
            why="this channel had many answers in the last minute, and everyone in it would see the file",
            what_next="Ask again in a minute, or in another channel; `incident timeline` shows it to you alone.",
        )
    return replace(answer, blocks=[context(NOTE), *answer.blocks], private=True)


_SHOWN = 500  # characters of the quoted words
_ADD = ": to add what is missing, reply in the incident's thread and mark the reply with :pushpin:"


def is_changed(typed: str) -> bool:
    """True if masking changes the text."""
    return mask_message(typed) != html.unescape(typed).strip()


def with_masked_note(answer: Answer, typed: str, *, command: str) -> Answer:
    """Add a note to the answer if masking changed the stored words: how they are stored, and what to do. `command`: the
    command's name."""
    if not is_changed(typed):
        return answer
    note = f"Stored without the sensitive data: “{escape(mask_message(typed), limit=_SHOWN)}”."
    note += f" Stored words can't be edited{_ADD if command.startswith('incident ') else ''}."
    return replace(answer, blocks=[*(answer.blocks or [section(answer.text)]), context(note)])


def with_note(answer: Answer, words: str) -> Answer:
    """Add a note below the answer. `words`: plain text."""
    return replace(answer, blocks=[*(answer.blocks or [section(answer.text)]), context(escape(words, limit=_SHOWN))])


def kept_as(typed: str) -> Block:
    """Block for a modal that shows the masked text before it is stored."""
    shown = escape(mask_message(typed), limit=_SHOWN)
    return section(
        f"*Sensitive data is removed before this is stored.* It will read:\n“{shown}”\nPress again to continue."
    )


def notice_answer(words: str) -> Answer:
    """A private answer for the person who acted. `words`: our own mrkdwn."""
    return Answer(*fit_message(words, [section(words)]), {"told": mrkdwn_text(words)}, private=True)
