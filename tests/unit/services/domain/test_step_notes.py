"""The names of people in notes about steps, and of the owners of locks."""

from __future__ import annotations

import pytest

from services.domain.freezes import owner_words
from services.domain.runs import IN_DOUBT, MARKED_DONE, note_words


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (f"{MARKED_DONE} (U0BEN000001)", "marked done by Ben Osei"),
        (f"{IN_DOUBT}: {MARKED_DONE} (U0BEN000001).", f"{IN_DOUBT}: marked done by Ben Osei."),
        ("given up by a person (U0NEW)", "given up by somebody"),
        ("to be tried again, says a person (U0BEN000001)", "to be tried again, says Ben Osei"),
        ("not within 180 s (UTC)", "not within 180 s (UTC)"),
    ],
)
def test_a_note_names_the_person_and_not_the_id(stored: str, shown: str) -> None:
    names = {"U0BEN000001": "Ben Osei"}

    assert note_words(stored, lambda slack_id: names.get(slack_id, "somebody")) == shown
    assert "U0" not in note_words(stored)


@pytest.mark.parametrize(
    ("owner", "name", "shown"),
    [("U0BEN", "Ben Osei", "Ben Osei"), ("U0BEN", "", "a person"), ("terminal", "", "terminal")],
)
def test_an_owner_is_no_bare_id(owner: str, name: str, shown: str) -> None:
    assert owner_words(owner, name) == shown
