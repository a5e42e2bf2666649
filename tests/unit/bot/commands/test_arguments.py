"""Errors about arguments name the wrong word and what to write instead."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import deploy, rollback, scale, unlock
from bot.commands.arguments import (
    need_service,
    no_more,
    parse_count,
    parse_service,
    parse_sha,
    parse_window,
    read_number,
    take_raw,
    take_window,
)
from bot.types import Request, Surface
from services.domain.errors import UsageError
from services.domain.services import Service

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("word", "seconds"), [("90s", 90), ("10m", 600), ("10min", 600), ("1h", 3600), ("1H", 3600), ("1d", 86400)]
)
def test_reads_a_window(word: str, seconds: int) -> None:
    assert parse_window([word], default=HOUR, largest=DAY) == timedelta(seconds=seconds)


def test_number_and_unit_may_stand_apart() -> None:
    assert parse_window(["10", "min"], default=HOUR, largest=DAY) == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("line", "rest"),
    [("2 hours we move", ["we", "move"]), ("2h hours it takes", ["hours", "it", "takes"]), ("1hr", [])],
)
def test_a_span_of_one_word_or_two_leaves_the_rest(line: str, rest: list[str]) -> None:
    span, left = take_window(line.split(" "), largest=DAY)

    assert (span in (HOUR, 2 * HOUR), left) == (True, rest)


def test_takes_the_default_window() -> None:
    assert parse_window([], default=HOUR, largest=DAY) == HOUR


@pytest.mark.parametrize("word", ["0s", "25h", "999999d", "5x", "h", "-1h", "1.5h", "<!channel>", "\u0661h"])
def test_refuses_a_window_that_does_not_fit(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_window([word], default=HOUR, largest=DAY)

    assert "<!" not in refused.value.why
    assert refused.value.what_next


@pytest.mark.parametrize("word", ["ingest", "INGEST", "dragonfly-worker-ingest"])
def test_finds_a_service_by_short_and_full_name(word: str) -> None:
    assert parse_service(word) is Service.INGEST


def test_a_mistyped_service_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean `enforcement`"):
        parse_service("enforcment")


def test_a_missing_service_gets_an_example() -> None:
    with pytest.raises(UsageError, match="`logs ingest`"):
        need_service([], "logs ingest")


@pytest.mark.parametrize("word", ["abc", "g" * 8, "a" * 41])
def test_parse_sha_refuses_other_words(word: str) -> None:
    with pytest.raises(UsageError):
        parse_sha(word)


def test_a_sha_may_be_written_in_capitals() -> None:
    assert parse_sha("A1B2C3D4") == "a1b2c3d4"


@pytest.mark.parametrize("word", ["0", "201", "x", "²", "9" * 5000])
def test_refuses_a_count_that_does_not_fit(word: str) -> None:
    with pytest.raises(UsageError):
        parse_count(word, largest=200)


@pytest.mark.parametrize(
    ("word", "number"),
    [("7", 7), ("#7", 7), ("0", None), ("7x", None), ("²", None), ("9" * 15, 10**15 - 1), ("9" * 16, None)],
)
def test_a_number_may_have_its_sign(word: str, number: int | None) -> None:
    assert read_number(word) == number


@pytest.mark.parametrize(
    ("parse", "words"),
    [
        (deploy.parse, ("ingest",)),
        (rollback.parse, ("ingest", "to")),
        (scale.parse, ("enforcement",)),
        (unlock.parse, ("enforcement",)),
    ],
)
def test_an_example_names_the_service_that_was_typed(
    parse: Callable[[tuple[str, ...]], object], words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as refused:
        parse(words)

    assert f" {words[0]} " in refused.value.what_next


def test_a_word_too_many_is_named() -> None:
    with pytest.raises(UsageError, match="`now`"):
        no_more(["api", "now"], 1)


@pytest.mark.parametrize("surface", [Surface.SLASH, Surface.MENTION, Surface.BUTTON])
def test_raw_exists_on_the_terminal_only(surface: Surface) -> None:
    with pytest.raises(UsageError, match="terminal"):
        take_raw(Request(("api", "--raw"), surface))

    assert take_raw(Request(("api", "--raw"), Surface.TERMINAL)) == (["api"], True)


@given(st.text(max_size=40))
def test_any_word_is_read_or_refused(word: str) -> None:
    for parse in (parse_service, parse_sha, lambda one: parse_window([one], default=HOUR, largest=DAY)):
        try:
            parse(word)
        except UsageError as error:
            assert error.what_next  # noqa: PT017 - either outcome is fine, this one must help
