"""Lists of runs, the details of one run, and the audit log: complete, escaped, and within Slack's limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.types import Answer
from bot.views.audit import audit_answer, verification_answer
from bot.views.runs import record_answer, runs_answer
from playbooks.model import Risk, Status
from playbooks.plan import Plan
from playbooks.steps import ScaleService
from playbooks.stored_steps import encode_step
from services.domain.audit import AuditReport, AuditRow
from services.domain.people import Person
from services.domain.runs import Decision, Record, RunState, RunStep, StepState
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.runs import run_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = "<!channel> `x` <https://evil|good> " + "y" * 5000
PLAN = Plan(
    environment="prod",
    playbook="scale",
    parameters={"service": "ingest", "to": "2"},
    steps=(ScaleService(Service.INGEST, 1, 2),),
    risk=Risk.LOW,
    title="Scale ingest: 1 → 2",
    impact=("318 jobs are waiting",),
)
RUN = run_of(
    PLAN,
    NOW,
    state=RunState.SUCCEEDED,
    reason="backlog",
    approvals_needed=0,
    approved_at=NOW,
    started_at=NOW,
    ended_at=NOW + timedelta(seconds=43),
    outcome="2 of 2 workers beat",
)
STEP = RunStep(
    12, 0, encode_step(PLAN.steps[0]), StepState.DONE, None, {"replicas": 2}, None, NOW, NOW + timedelta(seconds=3)
)
DECISION = Decision(12, Person("U0ANN000001", "T1"), True, "go", PLAN.hash, "p" * 64, NOW)
ROW = AuditRow(1, NOW, "U0OLIVIA001", "run.filed", 12, {"title": "Scale ingest: 1 → 2"}, "ab" * 32)
RECORD = Record(RUN, (STEP,), (DECISION,), (ROW,))


def refused(answer: Answer) -> Sequence[object]:
    payload = {"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}
    return violations(payload, surface="message", method="chat.update")


def shown(answer: Answer) -> str:
    return json.dumps(list(answer.blocks), ensure_ascii=False)


def test_a_record_has_request_decision_steps_and_outcome() -> None:
    text = shown(record_answer(RECORD))

    for part in (
        "<@U0OLIVIA001>",
        ": backlog",
        "Approved by <@U0ANN000001>",
        f"plan `{PLAN.hash[:12]}`",
        "1. Set ingest from 1 to 2 replicas — 3 s · replicas 2",
        "2 of 2 workers beat",
        "run.filed",
        PLAN.hash,
    ):
        assert part in text


def test_a_record_can_be_read_by_a_program() -> None:
    data = json.loads(json.dumps(record_answer(RECORD).data, default=str))

    assert data["steps"][0]["evidence"] == {"replicas": 2}
    assert data["decisions"][0]["by"] == "U0ANN000001"
    assert data["plan_hash"] == PLAN.hash


@pytest.mark.parametrize(("state", "labels"), [(RunState.UNKNOWN, 3), (RunState.RUNNING, 1), (RunState.EXPIRED, 1)])
def test_a_record_has_the_buttons_that_decide_nothing_for_others(state: RunState, labels: int) -> None:
    answer = record_answer(replace(RECORD, run=replace(RUN, state=state)))

    [row] = [block for block in answer.blocks if block["type"] == "actions"]
    assert len(row["elements"]) == labels


def test_an_unknown_run_is_unknown_to_a_program_too() -> None:
    assert record_answer(replace(RECORD, run=replace(RUN, state=RunState.UNKNOWN))).status is Status.UNKNOWN


@pytest.mark.parametrize("state", RunState)
def test_slack_takes_a_hostile_record_with_sixty_steps(state: RunState) -> None:
    run = replace(RUN, state=state, title=HOSTILE, reason=HOSTILE, outcome=HOSTILE)
    steps = tuple(replace(STEP, position=position, note=HOSTILE) for position in range(60))
    rows = (replace(ROW, event=HOSTILE, actor=HOSTILE, details={"x": HOSTILE}),) * 100

    assert refused(record_answer(Record(run, steps, (replace(DECISION, reason=HOSTILE),) * 20, rows))) == []


def test_the_list_starts_with_what_waits_for_a_person() -> None:
    runs = [replace(RUN, id=3), replace(RUN, id=2, state=RunState.AWAITING_APPROVAL), replace(RUN, id=1)]

    answer = runs_answer(runs, now=NOW)

    assert answer.text.startswith("*3 runs*, 1 waiting")
    assert "run 2" in answer.blocks[1]["text"]["text"]
    assert answer.blocks[1]["accessory"]["value"] == "run 2"


def test_slack_takes_many_runs_and_none() -> None:
    assert refused(runs_answer([replace(RUN, title=HOSTILE)] * 200, now=NOW)) == []
    assert refused(runs_answer([], now=NOW)) == []


def test_the_audit_log_names_who_and_what() -> None:
    text = shown(audit_answer([ROW]))

    assert "#1 " in text
    assert "run.filed · <@U0OLIVIA001> · run 12 · title Scale ingest: 1 → 2" in text


def test_slack_takes_a_hostile_audit_log() -> None:
    assert refused(audit_answer([replace(ROW, actor=HOSTILE, details={"reason": HOSTILE})] * 200)) == []
    assert refused(audit_answer([])) == []


def test_a_whole_log_reports_its_head() -> None:
    answer = verification_answer(AuditReport(True, 7, "ab" * 32))

    assert answer.status is Status.OK
    assert answer.text.startswith("✅")
    assert answer.text.endswith(": 7 rows")
    assert "ab" * 32 in shown(answer)


def test_a_log_that_was_tampered_with_is_wrong() -> None:
    answer = verification_answer(AuditReport(False, 7, "ab" * 32, 4, "row 4 is missing"))

    assert answer.status is Status.FAIL
    assert "at row 4: row 4 is missing" in answer.text
