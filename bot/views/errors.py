"""Errors as answers: what failed, why, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.types import Answer, Block
from bot.views.blocks import VALUE_LIMIT, actions, command_button, context, fit_message, section
from bot.views.terminal import mrkdwn_text
from bot.views.text import code, escape
from services.domain.errors import Choice, DoneError, OperatorError, OutcomeUnknownError, SourceError, UsageError
from services.domain.message_origin import slash
from services.domain.status import Status


def no_dialog(failure: SourceError, line: str, choices: Sequence[Choice] = ()) -> OperatorError:
    """The error for a dialog that did not open. `line`: with placeholders. `choices`: whole lines as buttons."""
    typed = code(slash(line))
    what_next = f"Type {typed}; in a thread, mention the bot instead."
    return OperatorError(
        "The dialog did not open; nothing was done",
        why=escape(failure.why, limit=200),
        what_next=f"Press one, or type {typed}; in a thread, mention the bot instead." if choices else what_next,
        choices=choices,
    )


def error_answer(error: BaseException, *, reference: str | None = None) -> Answer:
    """A private answer with our own sentences; the text of an unexpected error is never shown.

    `reference`: the id in the log line of this error, by which an operator can find it.
    """
    what, why, what_next = _sentences(error, reference)
    sign, status = _sign(error)
    blocks = [section(f"{sign} *{what}*\n*Why:* {why}\n*What next:* {what_next}", accessory=_button(error))]
    blocks += _choices(error.choices) if isinstance(error, OperatorError) else []
    if reference:
        blocks.append(context(f"reference {escape(reference, limit=100)}"))
    data = {"error": _data(error, {"what": what, "why": why, "what_next": what_next}, reference)}
    return Answer(
        *fit_message(f"{sign} {what}{'' if what.endswith('?') else ':'} {why}. {what_next}", blocks),
        data,
        status,
        private=True,
    )


def _sign(error: BaseException) -> tuple[str, Status]:
    match error:
        case UsageError():
            return "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}", Status.FAIL
        case DoneError():
            return "✅", Status.OK
        case OutcomeUnknownError():
            return "🔴", Status.UNKNOWN
        case OperatorError():
            return "🔴", Status.FAIL
        case _:
            return "🔴", Status.UNKNOWN


def _data(error: BaseException, words: Mapping[str, str], reference: str | None) -> dict[str, object]:
    choices = [choice.line for choice in error.choices] if isinstance(error, OperatorError) else []
    shown: dict[str, object] = {name: mrkdwn_text(value) for name, value in words.items()}
    return shown | {"reference": reference} | ({"choices": choices} if choices else {})


def _choices(choices: Sequence[Choice]) -> list[Block]:
    """One row per choice with a description; buttons without a description side by side."""
    fitting = [choice for choice in choices if len(choice.line) <= VALUE_LIMIT]
    rows = [section(one.about, accessory=command_button(_label(one), one.line)) for one in fitting if one.about]
    return [*rows, *actions([command_button(_label(one), one.line) for one in fitting if not one.about])]


def _label(choice: Choice) -> str:
    return choice.label or f"Run {choice.line}"


def _sentences(error: BaseException, reference: str | None) -> tuple[str, str, str]:
    match error:
        case OperatorError():
            return error.what, error.why, error.what_next
        case SourceError(source="database", outcome_unknown=True):
            what_next = "Check `audit` once the database answers, before you do it again."
            return "It is not known whether it was done", escape(error.why, limit=500), what_next
        case SourceError(source="database", is_outage=True):
            what_next = (
                "Try again in a moment. `health`, `logs`, `deployments` and `oncall` work without it; if it is urgent, "
                "contact people directly."
            )
            return "The database does not answer", escape(error.why, limit=500), what_next
        case SourceError():
            what_next = "Try again in a moment." if error.retryable else "Run `check-config`, then check the service."
            return f"{escape(error.source, limit=100)} could not be read", escape(error.why, limit=500), what_next
        case _:
            why = f"an unexpected {type(error).__name__} inside the bot"
            where = "for the reference in the bot's log" if reference else "at what was logged"
            return "The command did not finish", why, f"Look {where}, or try again."


def _button(error: BaseException) -> dict[str, object] | None:
    return command_button("Help", "help") if isinstance(error, UsageError) else None
