"""`why <alert>`: whose silence holds it back, and each decision with its reason."""

from __future__ import annotations

from bot.views.why_alert import why_alert_answer
from services.domain.alerts import AlertDecision, AlertHistory
from tests.unit.bot.alerts.builders import NOW, alert, silence


def test_whose_silence_it_is_is_said_before_the_decisions() -> None:
    decision = AlertDecision(NOW, "heartbeats.ingest", 7, "silenced", "silence 5: we know")
    history = AlertHistory("heartbeats.ingest", alert(held="silence 5: we know"), (decision,))

    _, section, *_ = why_alert_answer("heartbeats.ingest", [history], [silence()]).blocks

    whose, _, said = section["text"]["text"].splitlines()
    assert whose.startswith("🔕 silenced by <@U1> until <!date^")
    assert said.endswith("silenced: silence 5: we know")


def test_without_decisions_it_says_so() -> None:
    answer = why_alert_answer("backlog", [AlertHistory("backlog", None, ())], [])

    assert "Nothing of the kind was seen for 30 days." in str(answer.blocks)
