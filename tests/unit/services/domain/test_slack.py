"""The meaning of Slack's refusals of a post."""

from __future__ import annotations

import pytest

from services.domain.slack_refusals import Refusal, place_words, refusal_of


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("invalid_blocks", Refusal.CONTENT),
        ("msg_too_long", Refusal.CONTENT),
        ("channel_not_found", Refusal.PLACE),
        ("not_in_channel", Refusal.PLACE),
        ("is_archived", Refusal.PLACE),
        ("restricted_action", Refusal.PLACE),
        ("restricted_action_read_only_channel", Refusal.PLACE),
        ("restricted_action_thread_only_channel", Refusal.PLACE),
        ("restricted_action_non_threadable_channel", Refusal.THREAD),
        ("restricted_action_thread_locked", Refusal.THREAD),
        ("no_permission", Refusal.PLACE),
        ("user_not_found", Refusal.PLACE),
        ("cannot_dm_bot", Refusal.PLACE),
        ("invalid_auth", Refusal.TOKEN),
        ("missing_scope", Refusal.TOKEN),
        ("made_up_tomorrow", Refusal.UNKNOWN),
    ],
)
def test_each_refusal_has_a_meaning(code: str, refusal: Refusal) -> None:
    assert refusal_of(code) is refusal


def test_a_place_that_refuses_is_described_and_an_unknown_word_is_shown() -> None:
    assert place_words("is_archived").endswith("archived")
    assert place_words("made_up") == "Slack refuses posts there (made_up)"
