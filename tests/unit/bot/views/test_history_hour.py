"""Where the hour around an incident stands in the diagnosis."""

from __future__ import annotations

from bot.types import Block
from bot.views.blocks import actions, command_button, context, section
from bot.views.history import with_hour
from bot.views.pictures import labeled, picture

AXIS = labeled("5 min each", f"{'-1 h':<12}{'▲':<8}+1 h")


def hour(words: str) -> list[Block]:
    return [picture([AXIS]), context(words)]


def test_the_picture_of_an_incident_moves_no_button() -> None:
    message = [section("cause"), *actions([command_button("Restart ingest", "restart ingest")])]

    drawn = with_hour(message, hour("the hour before it"))
    completed = with_hour(drawn, hour("the hour around it"))

    assert drawn[: len(message)] == completed[: len(message)] == message
    assert completed[len(message) :] == hour("the hour around it")
