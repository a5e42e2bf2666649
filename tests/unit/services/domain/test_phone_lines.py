"""The first line of a message on a phone: its width, and its cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.phone_lines import PHONE_LIMIT, shorten, shown_width, with_short_first_line

WORDS = "not during the import and never while people eat lunch "


def test_short_first_line_is_not_changed() -> None:
    assert with_short_first_line("x" * PHONE_LIMIT) == "x" * PHONE_LIMIT
    assert with_short_first_line(f"short\n{'x' * 500}") == f"short\n{'x' * 500}"


def test_one_character_more_makes_a_second_line() -> None:
    assert with_short_first_line("x" * (PHONE_LIMIT + 1)) == f"{'x' * PHONE_LIMIT}\nx"


def test_first_line_ends_at_the_last_pause_that_fits() -> None:
    posted = f"🔴 *FAILED* · prod · *Roll api back to 8d02b64e, with its data*: it does not answer; {WORDS * 3}\nmore"

    first, second, third = with_short_first_line(posted).splitlines()

    assert first == "🔴 *FAILED* · prod · *Roll api back to 8d02b64e, with its data*: it does not answer;"
    assert (second, third) == ((WORDS * 3).strip(), "more")


def test_without_a_pause_it_ends_between_words() -> None:
    first, _, _ = with_short_first_line(f"<@U0ANN000001> denied it {WORDS * 3}").partition("\n")

    assert first.endswith(" import and never")
    assert shown_width(first) <= PHONE_LIMIT


@pytest.mark.parametrize(
    ("mrkdwn", "width"),
    [
        ("*bold* `code`", 9),
        ("&amp;&lt;", 2),
        ("<!date^1^{time}|09:02 UTC>", 9),
        ("<https://x.test|words>", 5),
        ("<https://x.test>", 14),
        ("<@U0ANN000001>", 12),
    ],
)
def test_shown_width_counts_only_visible_text(mrkdwn: str, width: int) -> None:
    assert shown_width(mrkdwn) == width


@given(st.text(alphabet="ab .;:·*<>&|@\n", max_size=400))
def test_first_line_always_fits_and_no_word_is_lost(text: str) -> None:
    short = with_short_first_line(text)

    assert shown_width(short.partition("\n")[0]) <= PHONE_LIMIT
    assert [one for one in short if one not in " ·\n"] == [one for one in text if one not in " ·\n"]


def test_a_title_is_cut_between_words_and_within_its_limit() -> None:
    assert shorten("ingest is down", 14) == "ingest is down"
    assert shorten("ingest is down, again", 15) == "ingest is down…"
    assert shorten("w" * 50, 10) == "wwwwwwwww…"
