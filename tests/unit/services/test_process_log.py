from __future__ import annotations

import json
import logging

import pytest

from services.domain.errors import SourceError
from services.domain.secrets import Secret, remember_secrets
from services.process import JsonFormatter, PlainFormatter, describe_error


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_names_the_class_and_the_place_and_never_the_text() -> None:
    text = describe_error(raised(ValueError("Key (name)=(canary)")))

    assert text.startswith("ValueError at test_process_log.py:")
    assert "canary" not in text


def test_reports_the_reason_of_our_own_errors() -> None:
    assert describe_error(raised(SourceError("database", "connection lost"))).startswith(
        "SourceError: database: connection lost at test_process_log.py:"
    )


def test_logs_an_exception_on_one_line_without_its_text() -> None:
    error = raised(KeyError("canary"))
    info = (type(error), error, error.__traceback__)

    line = PlainFormatter().format(logging.LogRecord("x", logging.ERROR, "", 1, "it %s", ("failed",), info))

    assert line.startswith("it failed (KeyError at test_process_log.py:")
    assert "canary" not in line


def test_as_json_each_record_is_one_line_with_its_level_and_no_text_of_an_error() -> None:
    error = raised(KeyError("canary"))
    info = (type(error), error, error.__traceback__)

    line = JsonFormatter().format(logging.LogRecord("services.x", logging.ERROR, "", 1, "it %s\nü", ("failed",), info))

    assert "\n" not in line
    assert "canary" not in line
    reported = json.loads(line)
    assert reported.pop("error").startswith("KeyError at test_process_log.py:")
    assert reported == {"level": "error", "message": "it failed\nü", "logger": "services.x"}


def test_a_line_break_in_a_message_cannot_fake_a_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 1, "%s", ("one\nCRITICAL: two",), None)

    assert PlainFormatter().format(record) == "one\n  CRITICAL: two"


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
@pytest.mark.parametrize("mark", ["\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u202e", "\ud83d"])
def test_nothing_in_a_message_acts_on_what_reads_the_log(formatter: logging.Formatter, mark: str) -> None:
    line = formatter.format(logging.LogRecord("x", logging.INFO, "", 1, "%s", (f"one{mark}CRITICAL: two",), None))

    assert mark not in line
    assert line.splitlines() == [line]
    line.encode()


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_none_of_our_own_secrets_gets_into_the_log(formatter: logging.Formatter) -> None:
    remember_secrets("test", [Secret("swordfish")])
    try:
        line = formatter.format(logging.LogRecord("x", logging.INFO, "", 1, "it is %s", ("swordfish",), None))
    finally:
        remember_secrets("test", [])

    assert "swordfish" not in line
    assert "it is …" in line
