"""`why <alert>`: the silences that suppress it, and each decision with its reason."""

from __future__ import annotations

import pytest

from bot.commands.why import answer_why, why_alert_answer
from bot.config.environment import Settings
from bot.types import Request
from bot.world import World
from services.domain.alerts import AlertDecision, AlertHistory
from services.domain.errors import UsageError
from tests.unit.bot.alerts.builders import NOW, alert, silence


def test_why_alert_names_the_silence_owner_before_the_decisions() -> None:
    decision = AlertDecision(NOW, "heartbeats.ingest", 7, "silenced", "silence 5: we know")
    history = AlertHistory("heartbeats.ingest", alert(held="silence 5: we know"), (decision,))

    _, section, *_ = why_alert_answer("heartbeats.ingest", [history], [silence()]).blocks

    whose, state, posted = section["text"]["text"].splitlines()
    assert whose.startswith("🔕 silenced by <@U1> until <!date^")
    assert state.endswith(" Suppressed: silence 5: we know.")
    assert posted.endswith(" · Silenced; updates stopped: silence 5: we know.")


def test_an_alert_that_is_fine_and_watched_is_not_reported_as_firing() -> None:
    watched = alert(title="ingest 1 of 1 alive", fine_since=NOW)

    _, section, *_ = why_alert_answer("heartbeats.ingest", [AlertHistory("heartbeats.ingest", watched, ())], []).blocks

    state = section["text"]["text"].splitlines()[0]
    assert "has been firing" not in state
    assert state.endswith("(ingest 1 of 1 alive), and watched: it fired before.")


def test_every_decision_is_a_sentence_with_its_time() -> None:
    words = ("pending", "not told", "told", "silenced", "watched", "passed", "resolved", "called", "not called")
    decisions = tuple(AlertDecision(NOW, "backlog", 7, word, "because") for word in words)

    _, section, *_ = why_alert_answer("backlog", [AlertHistory("backlog", None, decisions)], []).blocks

    _, *lines = section["text"]["text"].splitlines()
    assert len(lines) == len(words)
    for line in lines:
        time, _, sentence = line.partition(" · ")
        assert time.startswith("<!date^")
        assert sentence[0].isupper()
        assert sentence.endswith(": because.")
        assert "called" not in sentence.lower()  # stored as "called", shown as paged


def test_a_decision_that_another_version_wrote_is_still_shown() -> None:
    decision = AlertDecision(NOW, "backlog", 7, "deferred", "because")

    assert "deferred: because." in str(
        why_alert_answer("backlog", [AlertHistory("backlog", None, (decision,))], []).blocks
    )


def test_without_decisions_it_reports_so() -> None:
    answer = why_alert_answer("backlog", [AlertHistory("backlog", None, ())], [])

    assert "last 30 days" in str(answer.blocks)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("incident", "10"), "`incident timeline 10`"),
        (("incidents", "#3"), "`incident timeline 3`"),
        (("incident",), "`incident timeline 7`"),
        (("incident", "0"), "`incident timeline 7`"),
    ],
)
async def test_why_of_an_incident_names_its_timeline_by_the_number_typed(words: tuple[str, ...], line: str) -> None:
    with pytest.raises(UsageError) as refused:
        await answer_why(Request(words), World(Settings.from_environment({})))

    assert refused.value.what_next == f"Write {line}."
