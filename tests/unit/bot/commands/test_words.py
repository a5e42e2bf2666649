"""Lines are understood as they come from phones, from Slack's escaping and with quotes left open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands._contract import Surface
from bot.commands._words import split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("logs ingest", ["logs", "ingest"]),
        ("  logs   ingest  ", ["logs", "ingest"]),
        ('logs ingest "Crash loop"', ["logs", "ingest", "Crash loop"]),
        ("logs ingest “Crash loop”", ["logs", "ingest", "Crash loop"]),
        ("logs ingest ‘Crash loop’", ["logs", "ingest", "Crash loop"]),  # noqa: RUF001
        ("logs ingest —failed", ["logs", "ingest", "--failed"]),
        ("logs ingest –failed –n 5", ["logs", "ingest", "--failed", "-n", "5"]),  # noqa: RUF001
        ('logs ingest "Crash', ["logs", "ingest", '"Crash']),
        ("logs ingest don't", ["logs", "ingest", "don't"]),
        ('""', []),
    ],
)
def test_words_of_a_line(line: str, words: list[str]) -> None:
    assert split_words(line, Surface.SLASH) == words


@pytest.mark.parametrize(
    "line",
    [
        "<@U0BOT|dragonfly> health",
        "hello <@U0BOT> health",
        "health <@U0BOT>",
        "<@U0BOT>health",
        "health",
        "hi\n<@U0BOT> `health`",
    ],
)
def test_of_a_mention_the_words_after_the_name_count(line: str) -> None:
    assert split_words(line, Surface.MENTION) == ["health"]


def test_what_slack_escaped_and_linked_is_as_it_was_typed() -> None:
    line = "logs api a&amp;b &lt;x&gt; <http://a.example|a.example>"

    assert split_words(line, Surface.SLASH) == ["logs", "api", "a&b", "<x>", "a.example"]


def test_a_button_s_value_was_never_escaped() -> None:
    assert split_words("logs api a&amp;b", Surface.BUTTON) == ["logs", "api", "a&amp;b"]


@given(st.text(max_size=200), st.sampled_from(Surface))
def test_no_line_breaks_the_parser(line: str, surface: Surface) -> None:
    assert all(split_words(line, surface))
