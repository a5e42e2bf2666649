"""The time for which the API of one commit has answered well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.domain.health import AnsweredWell

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=20)


def test_good_answers_of_one_commit_are_one_span_until_a_bad_one_comes() -> None:
    first = AnsweredWell("8d02b64e", NOW, NOW)

    assert first.go_on("8d02b64e", LATER, is_new=False) == AnsweredWell("8d02b64e", NOW, LATER)
    assert first.go_on("8d02b64e", LATER, is_new=True) == AnsweredWell("8d02b64e", LATER, LATER, spans=2)
    assert first.go_on("e9a70d3b", LATER, is_new=True) == AnsweredWell("e9a70d3b", LATER, LATER)
