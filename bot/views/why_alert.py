"""Why people were told of an alert, or were not: from what was written down at each decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.commands._contract import Answer
from bot.views.alerts import silence_line
from bot.views.blocks import actions, command_button, section, sections
from bot.views.message import fit_message
from bot.views.text import code, date_token, escape
from services.domain.alerts import Alert, AlertHistory, AlertState, Silence


def why_alert_answer(what: str, histories: Sequence[AlertHistory], silences: Sequence[Silence]) -> Answer:
    """The newest decisions first, alert by alert; those of which nothing is known are left out. `silences`: of these
    alerts, those that last."""
    known = [history for history in histories if history.decisions or history.alert]
    first = f"*Why {code(what)} was told, or was not*"
    lines = [silence_line(one) for one in silences]
    lines += [line for history in known for line in _lines(history)] or ["Nothing of the kind was seen for 30 days."]
    buttons = [command_button("Silences", "silences"), command_button("Health", "health")]
    blocks = [section(first), *sections(lines), *actions(buttons)]
    return Answer(*fit_message(first, blocks), [_data(history) for history in known], private=True)


def _lines(history: AlertHistory) -> Iterator[str]:
    yield f"*{escape(history.fingerprint)}* {_state(history.alert)}"
    for one in history.decisions:
        yield f"{date_token(one.at)} {escape(one.decision)}: {escape(one.reason, limit=300)}"


def _state(alert: Alert | None) -> str:
    if alert is None:
        return "is fine, as far as anybody knows"
    if alert.state is AlertState.RESOLVED:
        return f"is over: {escape(alert.title)}"
    word = "fires" if alert.state is AlertState.FIRING else "is there, and nobody was told"
    held = f", held back ({escape(alert.held)})" if alert.held else ""
    return f"{word} since {date_token(alert.since)}{held}: {escape(alert.title)}"


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
