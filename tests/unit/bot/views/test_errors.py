"""People are told what, why and what next, and never the text of an unexpected error."""

from bot.views.errors import error_answer
from bot.views.plain import answer_text
from playbooks._contract import Status
from services.domain.errors import OperatorError, SourceError, UsageError


def test_says_what_why_and_what_next_to_the_asker_only() -> None:
    answer = error_answer(OperatorError("It stopped", why="no lease", what_next="Try again."), reference="r-1")

    assert answer.private
    assert answer.status is Status.FAIL
    assert answer_text(answer) == "🔴 It stopped\nWhy: no lease\nWhat next: Try again.\n  reference r-1"


def test_the_text_of_an_unexpected_error_stays_inside() -> None:
    answer = error_answer(RuntimeError("postgres://user:secret@host <!channel>"))

    assert "secret" not in str(answer)
    assert answer.status is Status.UNKNOWN


def test_a_silent_source_is_unknown() -> None:
    answer = error_answer(SourceError("database", "<!here> refused", retryable=True))

    assert "<!here>" not in str(answer)
    assert answer.status is Status.UNKNOWN


def test_a_usage_error_offers_help() -> None:
    answer = error_answer(UsageError("Which service?", why="one is needed", what_next="Name one."))

    assert answer.blocks[0]["accessory"]["value"] == "help"
