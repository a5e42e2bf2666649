"""An error as an answer: what failed, why and what to do next, never the text of an unexpected error."""

from bot.types import Answer
from bot.views.errors import error_answer
from bot.views.terminal import answer_text
from playbooks.model import Status
from services.domain.errors import Choice, DoneError, OperatorError, SourceError, UsageError


def test_reports_what_why_and_what_next_to_the_requester_only() -> None:
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

    assert "<!here>" not in f"{answer.text} {answer.blocks}"
    assert answer.status is Status.UNKNOWN


def test_without_the_database_people_are_reported_what_still_works() -> None:
    away = error_answer(SourceError("database", "server not reachable", retryable=True))
    refused = error_answer(SourceError("database", "the role may not read it"))

    assert "`oncall`" in away.text
    assert "`oncall`" not in refused.text
    assert "`check-config`" in refused.text


def test_a_change_whose_outcome_is_unknown_is_never_offered_to_be_tried_again_at_once() -> None:
    answer = error_answer(SourceError("database", "connection lost, while saving", outcome_unknown=True))

    assert "not known" in answer.text
    assert "`audit`" in answer.text
    assert "Try again" not in answer.text
    assert answer.status is Status.UNKNOWN


def test_what_was_done_is_no_failure() -> None:
    answer = error_answer(DoneError("It was done", why="its answer was lost", what_next="`silences` shows it."))

    assert answer.text == "✅ It was done: its answer was lost. `silences` shows it."
    assert answer.status is Status.OK


def test_a_usage_error_offers_help() -> None:
    answer = error_answer(UsageError("Which service?", why="one is needed", what_next="Name one."))

    assert answer.blocks[0]["accessory"]["value"] == "help"


def test_the_fallback_is_a_sentence_of_its_own() -> None:
    asked = error_answer(UsageError("Which color?", why="none is named", what_next="Name one."))
    reported = error_answer(OperatorError("It stopped", why="no lease", what_next="Try again."))

    assert asked.text == "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16} Which color? none is named. Name one."
    assert reported.text == "🔴 It stopped: no lease. Try again."


def test_a_program_reads_words_without_markup() -> None:
    answer = error_answer(OperatorError("`a&lt;b`", why="<@U1> may not", what_next="See `help`."))

    assert answer.data == {
        "error": {"what": "a<b", "why": "@U1 may not", "what_next": "See help.", "reference": None},
    }


def test_a_suggested_command_is_a_button_with_its_arguments() -> None:
    error = UsageError(
        "There is no command `restrat`",
        why="the first word must be a command",
        what_next="`help` lists all.",
        choices=[Choice("restart ingest"), Choice("x" * 5000)],
    )

    answer = error_answer(error)

    [button] = answer.blocks[1]["elements"]
    assert (button["text"]["text"], button["value"]) == ("Run restart ingest", "restart ingest")
    assert answer.data == {"error": {**answer_error(answer), "choices": ["restart ingest", "x" * 5000]}}
    assert "dragonfly restart ingest" in answer_text(answer)


def test_choices_that_are_about_something_are_rows() -> None:
    about = [Choice(f"incident ack {n}", "Acknowledge", f"incident {n}, No ingest") for n in (7, 8)]

    answer = error_answer(UsageError("Which incident?", why="2 are open", what_next="Press one.", choices=about))

    rows = [(block["text"]["text"], block["accessory"]["value"]) for block in answer.blocks[1:]]
    assert rows == [("incident 7, No ingest", "incident ack 7"), ("incident 8, No ingest", "incident ack 8")]
    assert len({block["accessory"]["action_id"] for block in answer.blocks}) == 3


def answer_error(answer: Answer) -> dict[str, object]:
    assert isinstance(answer.data, dict)
    error = answer.data["error"]
    assert isinstance(error, dict)
    return error
