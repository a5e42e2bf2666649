"""What an answer becomes in a channel that has had many."""

from __future__ import annotations

from dataclasses import replace

from bot.commands._contract import Answer
from bot.views.blocks import context
from services.domain.errors import OperatorError

NOTE = "Only you see this answer: this channel had many answers in the last minute."


def only_for_asker(answer: Answer) -> Answer:
    """The same, private, and saying why. Raises OperatorError when it is a file, which everybody would see."""
    if answer.file is not None:
        raise OperatorError(
            "The file was not sent",
            why="this channel had many answers in the last minute, and everybody in it would see the file",
            what_next="Ask again in a minute, or in another channel; `incident timeline` shows it to you alone.",
        )
    return replace(answer, blocks=[context(NOTE), *answer.blocks], private=True)
