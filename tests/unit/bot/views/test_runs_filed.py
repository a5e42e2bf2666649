"""The private answer to the requester of a run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.views.run_buttons import CANCEL, CONFIRM, DETAILS
from bot.views.runs import filed_answer
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import RestartDeployment
from services.domain.runs import RunState
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.runs import run_of
from tests.unit.bot.incidents.builders import incident

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STEPS = (RestartDeployment(Service.API, "d1"),)
PLAN = Plan("prod", "restart", {"service": "api"}, STEPS, Risk.LOW, "Restart api", impact=("3 jobs run",), undo="x")


def test_a_low_risk_is_confirmed_in_the_answer_without_a_second_dialog() -> None:
    answer = filed_answer(run_of(PLAN, NOW, state=RunState.PLANNED))

    [row] = [block for block in answer.blocks if block["type"] == "actions"]
    assert [element["action_id"] for element in row["elements"]] == [CONFIRM, CANCEL, DETAILS]
    assert not any("confirm" in element for element in row["elements"])
    assert "3 jobs run" in str(answer.blocks), "no dialog tells what it does"
    assert (
        list(violations({"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}, surface="message")) == []
    )


@pytest.mark.parametrize("state", [RunState.AWAITING_APPROVAL, RunState.APPROVED])
def test_filed_answer_has_no_confirm_button_in_other_states(state: RunState) -> None:
    answer = filed_answer(run_of(PLAN, NOW, state=state))

    [row] = [block for block in answer.blocks if block["type"] == "actions"]
    assert [element["action_id"] for element in row["elements"]] == [DETAILS]


def test_the_answer_reports_where_the_request_is_and_names_its_run() -> None:
    run = run_of(PLAN, NOW, state=RunState.PLANNED)

    assert f"the incidents channel · `run {run.id}`" in str(filed_answer(run).blocks)
    in_thread = filed_answer(run, incident=incident())
    assert f"thread of incident 7 · `run {run.id}`" in str(in_thread.blocks)
