"""Silences: made, listed, ended."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer, Block
from bot.views.blocks import actions, command_button, context, section
from bot.views.message import fit_message
from bot.views.text import code, date_token, escape
from services.domain.alerts import Silence

REASONS = ("Known, somebody is on it", "Planned work", "False alarm, wrong limit")
SHOWN = 20
BUTTONS = 5  # with one of their own


def silenced_answer(silence: Silence) -> Answer:
    """For everybody: who silenced what, until when, and why."""
    line = _line(silence)
    note = (
        "nothing of the kind is open; it lasts until its end"
        if silence.in_advance
        else "it ends early when the alerts it covers are over"
    )
    blocks = [section(line), *actions([_end(silence)]), context(note)]
    return Answer(*fit_message(line, blocks), _data(silence))


def reasons_answer(what: str, how_long: str) -> Answer:
    """Asks why: one tap on a reason is enough. Nothing was silenced yet."""
    first = f"🔕 *Why is {code(what)} silenced?* Nothing was done yet: one tap silences it for {escape(how_long)}."
    buttons = [command_button(reason, f"silence {what} {how_long} {reason}") for reason in REASONS]
    own = context(f"or in your own words: `silence {escape(what)} {escape(how_long)} &lt;why&gt;`")
    data = {"reasons": list(REASONS), "command": f"silence {what} {how_long} <why>"}
    return Answer(*fit_message(first, [section(first), *actions(buttons), own]), data, private=True)


def silences_answer(silences: Sequence[Silence]) -> Answer:
    """What nobody is told of, the next to end first."""
    if not silences:
        first = "*Nothing is silenced*"
        return Answer(*fit_message(first, [section(first)]), [], private=True)
    first = f"*Silences* ({len(silences)})"
    blocks = [section(first)]
    for place, silence in enumerate(silences[:SHOWN]):
        blocks.append(section(_line(silence), accessory=_end(silence) if place < BUTTONS else None))
    return Answer(*fit_message(first, blocks), [_data(silence) for silence in silences], private=True)


def ended_answer(silence: Silence, *, by: str) -> Answer:
    """For everybody: it is told again from now on."""
    first = f"🔔 <@{escape(by)}> ended silence {silence.id} of {code(silence.what)}: people are told again"
    return Answer(*fit_message(first, [section(first)]), _data(silence))


def _line(silence: Silence) -> str:
    until = date_token(silence.ends_at)
    reason = escape(silence.reason, limit=500)
    return f"🔕 <@{escape(silence.owner)}> silenced {code(silence.what)} until {until}: {reason}"


def _end(silence: Silence) -> Block:
    return command_button("End it", f"silence end {silence.id}")


def _data(silence: Silence) -> dict[str, object]:
    return {
        "id": silence.id,
        "what": silence.what,
        "owner": silence.owner,
        "reason": silence.reason,
        "created_at": silence.created_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "in_advance": silence.in_advance,
        "outcome": silence.outcome,
    }
