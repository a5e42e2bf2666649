"""A plan as instructions for a person who executes it by hand."""

from __future__ import annotations

import typing

from bot.views.plan import manual_answer
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import ScaleService, Soak
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations

PLAN = Plan("prod", "scale", {}, (ScaleService(Service.INGEST, 1, 2), Soak(Service.INGEST, 120, 1)), Risk.HIGH, "Scale")
LINK = "https://railway.com/project/p/service/s?environmentId=e"


def test_the_answer_names_the_pages_and_is_no_success() -> None:
    answer = manual_answer(
        PLAN, "Slack is <!here> away", {Service.INGEST: LINK, Service.API: "https://elsewhere"}, RUNBOOK
    )

    payload = {"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}
    assert list(violations(payload, surface="message")) == []
    data = typing.cast("dict[str, object]", answer.data)
    assert (answer.status.value, data["why"]) == ("fail", "Slack is <!here> away")
    assert LINK in str(answer.blocks)
    assert "elsewhere" not in str(answer.blocks)
    assert "<!here>" not in str(answer.blocks)
