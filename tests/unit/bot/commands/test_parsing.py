"""Lines are parsed with the typography of phones, Slack's escapes and unclosed quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.parsing import is_question, join_words, split_words
from bot.types import Surface


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("logs ingest", ["logs", "ingest"]),
        ("  logs   ingest  ", ["logs", "ingest"]),
        ('logs ingest "Boot loop"', ["logs", "ingest", "Boot loop"]),
        ("logs ingest “Boot loop”", ["logs", "ingest", "Boot loop"]),
        ("logs ingest ‘Boot loop’", ["logs", "ingest", "Boot loop"]),  # noqa: RUF001
        ("logs ingest —failed", ["logs", "ingest", "--failed"]),
        ("logs ingest –failed –n 5", ["logs", "ingest", "--failed", "-n", "5"]),  # noqa: RUF001
        ('logs ingest "Boot', ["logs", "ingest", '"Boot']),
        ("logs ingest don't", ["logs", "ingest", "don't"]),
        ('""', []),
    ],
)
def test_words_of_a_line(line: str, words: list[str]) -> None:
    assert split_words(line, Surface.SLASH) == words


@pytest.mark.parametrize("surface", [Surface.SLASH, Surface.MENTION])
@pytest.mark.parametrize(
    "line",
    [
        "*queue*",
        "_queue_",
        "**queue**",
        "*_queue_*",
        "`queue`",
        "```queue```",
        ", queue",
        ": queue",
        " - queue",
        " \u2014 queue",
        "queue.",
        "queue!",
        "queue?",
        "\u201cqueue\u201d",
        "que\u200bue",
        "\ufeffqueue\u2060",
        "\u202aqueue\u202c",
        "\u00a0queue\u202f",
        "\u00a0*queue*.\u200b",
    ],
)
def test_a_word_is_read_as_it_looks(line: str, surface: Surface) -> None:
    assert split_words(line, surface) == ["queue"]


def test_emphasis_around_several_words_is_taken_off() -> None:
    assert split_words("*restart ingest* _now_", Surface.MENTION) == ["restart", "ingest", "now"]


@pytest.mark.parametrize("line", ["failed_jobs", "2 * 3 * 4", "--help", "?", "~queue~", "a_b_c", "**"])
def test_split_words_keeps_characters_that_are_no_emphasis(line: str) -> None:
    assert split_words(line, Surface.MENTION) == line.split()


def test_only_the_end_of_a_sentence_loses_its_punctuation() -> None:
    assert split_words('incident open api is down, "again." Now!', Surface.SLASH)[3:] == [
        "is",
        "down,",
        "again.",
        "Now",
    ]
    assert split_words('logs ingest "done."', Surface.SLASH) == ["logs", "ingest", "done."]
    assert split_words("queue !", Surface.MENTION) == split_words("_queue_ ?!", Surface.SLASH) == ["queue"]


@given(st.text(max_size=100), st.sampled_from(Surface))
def test_joined_words_are_the_same_words(line: str, surface: Surface) -> None:
    words = split_words(line, surface)
    joined = join_words(words)

    assert joined is None or split_words(joined, Surface.BUTTON) == words


def test_words_with_spaces_are_quoted_for_a_button() -> None:
    assert join_words(["logs", "ingest", "Boot loop"]) == 'logs ingest "Boot loop"'
    assert join_words(["logs", 'say "hi" now']) == "logs 'say \"hi\" now'"
    assert join_words(["""both ' and " here"""]) is None


def test_split_words_undoes_slacks_escapes_and_links() -> None:
    line = "logs api a&amp;b &lt;x&gt; <http://a.example|a.example>"

    assert split_words(line, Surface.SLASH) == ["logs", "api", "a&b", "<x>", "a.example"]


def test_a_button_s_value_was_never_escaped() -> None:
    assert split_words("logs api a&amp;b", Surface.BUTTON) == ["logs", "api", "a&amp;b"]


@given(st.text(max_size=200), st.sampled_from(Surface))
def test_no_line_breaks_the_parser(line: str, surface: Surface) -> None:
    assert all(split_words(line, surface))


def test_a_question_is_known_without_its_mark_when_it_begins_as_one() -> None:
    asked = (
        "what's wrong with ingest",
        "what\u2019s wrong with ingest",
        '"what\'s" wrong with ingest',  # as a terminal quotes it
        "What is broken",
        "how many jobs failed",
        "who deployed api",
        "why is ingest slow",
        "ingest slow?",
    )
    reported = (
        "queue",
        "?",
        "why 12",
        "why nothing",
        "why heartbeats.ingest api",
        "whatever works for you",
        "what",
        "show me the queue",
        "",
    )

    assert [line for line in asked if not is_question(line)] == []
    assert [line for line in reported if is_question(line)] == []
