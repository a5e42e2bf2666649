"""Why people were told of an alert, or were not: from what was written down at each decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.commands._contract import Answer
from bot.views.alerts import silence_line
from bot.views.blocks import actions, command_button, section, sections
from bot.views.message import fit_message
from bot.views.text import code, date_token, escape
from services.domain.alerts import Alert, AlertDecision, AlertHistory, AlertState, Silence


def why_alert_answer(what: str, histories: Sequence[AlertHistory], silences: Sequence[Silence]) -> Answer:
    """The newest decisions first, alert by alert; those of which nothing is known are left out. `silences`: of these
    alerts, those that last."""
    known = [history for history in histories if history.decisions or history.alert]
    first = f"*Why people were notified about {code(what)}, or were not*"
    lines = [silence_line(one) for one in silences]
    lines += [line for history in known for line in _lines(history)] or [
        "Nothing like it was seen in the last 30 days."
    ]
    buttons = [command_button("Silences", "silences"), command_button("Health", "health")]
    blocks = [section(first), *sections(lines), *actions(buttons)]
    return Answer(*fit_message(first, blocks), [_data(history) for history in known], private=True)


# What each stored decision means, as the middle of a sentence whose end is the stored reason.
_SENTENCES = {
    "pending": "The bot saw it and waited before notifying anybody",
    "not told": "Nobody was notified",
    "told": "People were notified",
    "silenced": "A silence began to cover it, so updates stopped",
    "watched": "It recovered, and the bot kept watching it",
    "passed": "It went away by itself",
    "resolved": "It was over, and people were notified",
}


def _lines(history: AlertHistory) -> Iterator[str]:
    yield f"*{escape(history.fingerprint)}* {_state(history.alert)}"
    yield from map(_sentence, history.decisions)


def _sentence(decision: AlertDecision) -> str:
    """ "today 12:05 · Nobody was notified: silence 5 covers it."; another version may have written other words."""
    what = _SENTENCES.get(decision.decision, escape(decision.decision))
    return f"{date_token(decision.at)} · {what}: {escape(decision.reason, limit=300)}."


def _state(alert: Alert | None) -> str:
    if alert is None:
        return "is not firing now."
    if alert.state is AlertState.RESOLVED:
        return f"is over. It was: {escape(alert.title)}."
    word = "has been firing" if alert.state is AlertState.FIRING else "has been seen, without notifying anybody,"
    held = f" It is held back: {escape(alert.held)}." if alert.held else ""
    return f"{word} since {date_token(alert.since)}: {escape(alert.title)}.{held}"


def _data(history: AlertHistory) -> dict[str, object]:
    alert = history.alert
    return {
        "alert": history.fingerprint,
        "state": alert.state.value if alert else None,
        "held": alert.held if alert else "",
        "decisions": [
            {"at": one.at.isoformat(), "decision": one.decision, "reason": one.reason} for one in history.decisions
        ],
    }
