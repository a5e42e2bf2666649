"""The end of a silence: it ends by itself, and its owner is notified."""

from __future__ import annotations

import pytest

from bot.alerts.silence_ends import Reminder, SilenceEnd, end_silences
from bot.alerts.state import decide
from services.domain.alerts import AlertState, Silence
from tests.unit.bot.alerts.builders import ANNOUNCING, NOW, alert, around, fine, signal, silence

QUIET = alert(held="silence 5: we know")


def ends(one: Silence, *, is_fine: bool = False, known: object = QUIET) -> list[Reminder | SilenceEnd]:
    alerts = [known] if isinstance(known, type(QUIET)) else []
    context = around(silences=[one])
    moves = decide([fine() if is_fine else signal()], alerts, context)
    return end_silences(moves, alerts, context)


def test_a_silence_lasts_until_its_end() -> None:
    assert ends(silence(left_s=ANNOUNCING.remind_s + 1)) == []


def test_silence_reminds_its_owner_before_its_end() -> None:
    [reminder] = ends(silence(left_s=ANNOUNCING.remind_s))

    assert isinstance(reminder, Reminder)
    assert reminder.words == "the silence of `ingest` ends at 03:10 UTC. Still firing: ingest is down (0 of 1)"


def test_silence_reminds_once_and_never_when_short() -> None:
    assert ends(silence(left_s=60, reminded_at=NOW)) == []
    assert ends(silence(left_s=60, created_at=NOW)) == []


def test_a_silence_ends_with_its_alert() -> None:
    [ending] = ends(silence(), is_fine=True)

    assert isinstance(ending, SilenceEnd)
    assert ending.outcome == "resolved"


def test_a_silence_made_in_advance_lasts_to_its_end() -> None:
    assert ends(silence(in_advance=True), is_fine=True) == []


def test_a_silence_lasts_while_another_alert_that_it_covers_is_open() -> None:
    other = alert(AlertState.PENDING, id=8, fingerprint="workers.ingest", rule="workers", held="x")
    context = around(silences=[silence()])
    known = [QUIET, other]
    moves = decide([fine()], known, context)

    assert end_silences(moves, known, context) == []


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (QUIET, "Still firing: ingest is down (0 of 1)"),
        (alert(AlertState.RESOLVED), "The alert resolved meanwhile, or never fired"),
        (None, "The alert resolved meanwhile, or never fired"),
    ],
)
def test_end_of_a_silence_says_whether_the_alert_resolved_meanwhile(known: object, words: str) -> None:
    one = silence(left_s=0, in_advance=True)
    context = around(silences=[one])
    alerts = [known] if isinstance(known, type(QUIET)) else []

    [ending] = end_silences([], alerts, context)

    assert isinstance(ending, SilenceEnd)
    assert ending.outcome == "expired"
    assert ending.words == f"the silence of `ingest` has ended. {words}"
