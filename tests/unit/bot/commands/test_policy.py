"""What the policy says of somebody is said of them, not of who asks."""

from __future__ import annotations

import pytest

from bot.commands.policy import of_them


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "You are not among those who may request `restart` of ingest in dev. <@U1> could request it.",
            "They are not among those who may request `restart` of ingest in dev. <@U1> could request it.",
        ),
        ("You belong to another workspace.", "They belong to another workspace."),
        ("Your Slack account is deactivated.", "Their Slack account is deactivated."),
        ("Slack does not tell whose account yours is.", "Slack does not tell whose account theirs is."),
        (
            "The policy (line 3) forbids to request it, and nobody knows whether that is about you.",
            "The policy (line 3) forbids to request it, and nobody knows whether that is about them.",
        ),
    ],
)
def test_a_refusal_is_about_the_person_who_was_asked_for(said: str, meant: str) -> None:
    assert of_them(said) == meant
