"""An error as an answer to the one who asked: what failed, why, and what to do next."""

from __future__ import annotations

from bot.commands._contract import Answer
from bot.views.blocks import command_button, context, section
from bot.views.message import fit_message
from bot.views.plain import mrkdwn_text
from bot.views.text import escape
from playbooks._contract import Status
from services.domain.errors import OperatorError, SourceError, UsageError


def error_answer(error: BaseException, *, reference: str | None = None) -> Answer:
    """A private answer; only our own sentences are shown, never the text of an unexpected error.

    `reference` is what the log line of this error carries, so that somebody with the logs can find it.
    """
    what, why, what_next = _sentences(error, reference)
    blocks = [section(f"🔴 *{what}*\n*Why:* {why}\n*What next:* {what_next}", accessory=_button(error))]
    if reference:
        blocks.append(context(f"reference {escape(reference, limit=100)}"))
    words = {"what": what, "why": why, "what_next": what_next}
    data = {"error": {name: mrkdwn_text(said) for name, said in words.items()} | {"reference": reference}}
    status = Status.FAIL if isinstance(error, OperatorError) else Status.UNKNOWN
    return Answer(
        *fit_message(f"🔴 {what}{'' if what.endswith('?') else ':'} {why}. {what_next}", blocks),
        data,
        status,
        private=True,
    )


def _sentences(error: BaseException, reference: str | None) -> tuple[str, str, str]:
    match error:
        case OperatorError():
            return error.what, error.why, error.what_next
        case SourceError(source="database", is_outage=True):
            what_next = (
                "Try again in a moment. `health`, `logs`, `deployments` and `oncall` work without it; if it is urgent, "
                "call people yourself."
            )
            return "The database does not answer", escape(error.why, limit=500), what_next
        case SourceError():
            what_next = "Try again in a moment." if error.retryable else "Run `check-config`, then look at the service."
            return f"The {escape(error.source, limit=100)} could not be read", escape(error.why, limit=500), what_next
        case _:
            why = f"an unexpected {type(error).__name__} inside the bot"
            where = "for the reference in the bot's log" if reference else "at what was logged"
            return "The command did not finish", why, f"Look {where}, or try again."


def _button(error: BaseException) -> dict[str, object] | None:
    return command_button("Help", "help") if isinstance(error, UsageError) else None
