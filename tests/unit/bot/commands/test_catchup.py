"""`catchup` and the draft of a postmortem: templates filled from the record of an incident."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bot.commands.catchup import catchup_answer
from bot.commands.incident import DRAFT_LIMIT, DRAFT_MARK, draft_answer, draft_text, postmortem
from services.domain.errors import Unavailable
from services.domain.incidents import Incident, IncidentEvent, IncidentRecord
from tests.unit.bot.incidents.builders import ANN, NOW, acknowledged, alert, incident, resolved

MINUTE = timedelta(minutes=1)
EVENTS = (
    IncidentEvent(7, NOW, "opened", None, "opened by heartbeats.ingest: PAGE prod · ingest is down (0 of 2)"),
    IncidentEvent(7, NOW + MINUTE, "acknowledged", ANN, "acknowledged it"),
    IncidentEvent(7, NOW + 2 * MINUTE, "marked", ANN, "<!channel> *the* disk is full", "C1", "1700000000.000100"),
)
NAMES = {"U0ANN": "Ann"}


def record(of: Incident, *, firing: bool = True) -> IncidentRecord:
    return IncidentRecord(of, (alert(cleared_at=None if firing else NOW + MINUTE),), (), EVENTS)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (incident(), ["No one yet", "heartbeats.ingest since", "The cause is unknown"]),
        (acknowledged(diagnosis="a bad deploy"), ["<@U0ANN>, since", "Most likely cause: a bad deploy"]),
        (resolved(), ["Resolved by <@U0BEN>", "Nothing: a bad deploy"]),
    ],
)
def test_catchup_names_the_owner_and_what_is_open(of: Incident, expected: list[str]) -> None:
    answer = catchup_answer(record(of), [])

    shown = str(answer.blocks)
    assert answer.private
    assert not [one for one in (*expected, "No run is waiting or running.") if one not in shown]


def test_catchup_calls_runs_unknown_while_they_cannot_be_read() -> None:
    shown = str(catchup_answer(record(incident()), Unavailable("database", "no answer within 5 s")).blocks)

    assert "Runs are unknown: no answer within 5 s" in shown


def test_catchup_mentions_no_one_named_in_a_message() -> None:
    assert "<!channel>" not in str(catchup_answer(record(incident()), []).blocks)


def test_each_sentence_of_a_draft_has_the_time_of_its_entry() -> None:
    text = draft_text(record(resolved()), NAMES)

    assert text == (
        "At 2026-11-23 12:00, opened by heartbeats.ingest: ingest is down (0 of 2)."
        "\nAt 2026-11-23 12:01, Ann acknowledged it."
        "\nAt 2026-11-23 12:02, Ann <!channel> *the* disk is full (a marked message)."
    )


@pytest.mark.parametrize(("count", "is_cut"), [(20, False), (200, True)])
def test_a_long_draft_says_what_it_leaves_out(count: int, is_cut: bool) -> None:
    events = [IncidentEvent(7, NOW + n * MINUTE, "noted", None, f"entry {n}") for n in range(count)]

    text = draft_text(IncidentRecord(resolved(), (), (), tuple(events)), {})

    assert len(text) <= DRAFT_LIMIT + 60
    assert ("later entries are in the timeline" in text) is is_cut


def test_a_draft_is_marked_and_can_be_edited() -> None:
    answer = draft_answer(record(resolved()), NAMES)

    assert answer.private
    assert DRAFT_MARK in str(answer.blocks)
    assert "incident.draft" in str(answer.blocks)
    assert not re.search(r"<!channel>", str([block for block in answer.blocks if block["type"] != "rich_text"]))


def test_an_edited_draft_stands_in_the_postmortem_as_words() -> None:
    text = postmortem(record(resolved()), NAMES, draft="First *this*.\nThen <that>.")

    assert "First \\*this\\*.\nThen \\<that\\>." in text
