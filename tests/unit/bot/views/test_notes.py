"""The note under an answer whose words are stored: it shows them without the sensitive data."""

from __future__ import annotations

import pytest

from bot.commands.registry import REGISTRY
from bot.types import Answer
from bot.views.notes import with_masked_note
from bot.views.terminal import answer_text

ANSWER = Answer("Incident 7 is open.", [], {})


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("sev1 defendant Jane Roe owes $12", "sev1 defendant … owes …"),
        ("7 the key was sk-live-4f9a8b7c6d5e", "7 the key was …"),
    ],
)
def test_a_masked_answer_shows_the_stored_words(typed: str, kept: str) -> None:
    shown = answer_text(with_masked_note(ANSWER, typed, command="incident open"))

    assert "Incident 7 is open." in shown
    assert f"Stored without the sensitive data: “{kept}”" in shown
    assert "pushpin" in shown


def test_a_reason_that_was_masked_can_not_be_edited() -> None:
    shown = answer_text(with_masked_note(ANSWER, "the key was sk-live-4f9a8b7c6d5e", command="silence"))

    assert shown.rstrip().endswith("Stored words can't be edited.")


@pytest.mark.parametrize("typed", ["sev1 the queue grows", "7 too small &amp; full", ""])
def test_plain_words_need_no_note(typed: str) -> None:
    assert with_masked_note(ANSWER, typed, command="incident open") is ANSWER


def test_every_command_that_keeps_words_reports_so() -> None:
    keeping = {name for name, verb in REGISTRY.items() if verb.keeps_words}

    assert keeping == {
        "incident open", "incident resolve", "incident todo", "oncall note", "silence", "freeze", "lock",
        "deny", "review", "start-alone", "stop-workers"
    }  # fmt: skip
