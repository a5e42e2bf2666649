"""`policy explain` about another person refers to that person, not to the requester."""

from __future__ import annotations

import pytest

from bot.commands.policy import of_them


@pytest.mark.parametrize(
    ("posted", "meant"),
    [
        (
            "You don't have permission to request `restart` for ingest in dev. <@U1> can request it.",
            "They don't have permission to request `restart` for ingest in dev. <@U1> can request it.",
        ),
        ("You belong to another workspace.", "They belong to another workspace."),
        ("Your Slack account is deactivated.", "Their Slack account is deactivated."),
        ("Slack did not return your account.", "Slack did not return their account."),
        (
            "The policy (line 3) does not allow you to request it, and it is unknown whether that includes you.",
            "The policy (line 3) does not allow them to request it, and it is unknown whether that includes them.",
        ),
    ],
)
def test_a_refusal_is_about_the_person_who_was_asked_for(posted: str, meant: str) -> None:
    assert of_them(posted) == meant
