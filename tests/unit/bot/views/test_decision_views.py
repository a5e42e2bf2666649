"""Answers about decisions: rollback offers, receipts, refusals, the policy's rulings, and `why`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands.policy import Ruling, policy_answer
from bot.commands.stop_workers import presets_answer
from bot.commands.why import refusals_answer, why_answer
from bot.types import Answer
from bot.views.modals import PRESETS
from bot.views.rollback import choices, offer_answer
from bot.views.runs import decided_answer, filed_answer, refused_answer
from playbooks.model import NextStep, Risk, Status
from playbooks.rollback_advice import Offer
from playbooks.rollback_candidates import Candidate
from services.domain.audit import AuditRow
from services.domain.jobs import JobOutcomes
from services.domain.runs import Record, Run, RunState, RunStep, StepState
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.runs import new_run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = "<!channel> `x` " + "y" * 5000
RUN = new_run(NOW)
BEST = Candidate(
    sha="8d02b64ef7731a5c",
    message="Index failed jobs\n\nBody",
    deployments={Service.API: "d1"},
    served=timedelta(days=6),
    until=NOW,
    left_at=NOW,
    jobs=JobOutcomes(999, 1),
    migrations_since=0,
    can_roll_back=True,
    recommended=True,
)
REFUSAL = AuditRow(
    4, NOW, "U0OTTO00001", "run.approve.refused", 12, {"why": "you are don't have permission"}, "ab" * 32
)


def shown(answer: Answer) -> str:
    return json.dumps(list(answer.blocks), ensure_ascii=False)


def refused(answer: Answer) -> Sequence[object]:
    payload = {"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}
    return violations(payload, surface="message", method="chat.update")


def test_the_offer_leads_with_one_recommended_button() -> None:
    answer = offer_answer("api", Offer((BEST, replace(BEST, sha="c45e17a90b8f3d62", recommended=False))))

    first, other = answer.blocks[1]["elements"]
    assert answer.blocks[0]["text"]["text"].startswith(
        "↩️ *Roll back api* to `8d02b64e`: ran 6 d, 1 of 1000 jobs failed (recommended)"
    )
    assert first["text"]["text"] == "Roll back to 8d02b64e"
    assert (first["value"], first["style"]) == (f"rollback api to {BEST.name}", "primary")
    assert (other["action_id"], other["value"]) == ("rollback.choose", "api")


def test_a_single_candidate_has_no_other_target() -> None:
    assert len(offer_answer("api", Offer((BEST,))).blocks[1]["elements"]) == 1


def test_choices_report_which_is_recommended_and_why() -> None:
    [choice] = choices([BEST])

    assert choice.label == "★ 8d02b64e Index failed jobs"
    assert choice.description.startswith("ran 6 d")


def test_a_choice_without_a_commit_reports_what_it_is_when_and_by_whom() -> None:
    uploaded = replace(BEST, sha=None, message="ghcr.io/x/api:1.2", deployments={Service.API: "3f2a9c1e-77aa"})

    [choice] = choices([replace(uploaded, made_at=NOW, made_by="Ann")])

    assert (choice.value, choice.label) == ("3f2a9c1e-77aa", "★ deployment 3f2a9c1e ghcr.io/x/api:1.2")
    assert choice.description.startswith("23 Nov 12:00 UTC by Ann, ran 6 d")


def test_without_a_recommendation_nothing_is_green_and_what_helps_sooner_comes_first() -> None:
    doubt = "A process of api died after it had worked for 10 min: restart it first"
    found = Offer((replace(BEST, recommended=False),), doubt, NextStep("Restart api", "restart api"))

    answer = offer_answer("api", found)

    assert answer.text.startswith(f"\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16} *{doubt}.*")
    assert [one["value"] for one in answer.blocks[1]["elements"]] == ["restart api", f"rollback api to {BEST.name}"]
    assert not any("style" in one for one in answer.blocks[1]["elements"])


def test_offer_says_return_for_a_newer_version() -> None:
    found = Offer((replace(BEST, recommended=False, is_newer=True),), "No deploy of api lately")

    answer = offer_answer("api", found)

    assert "Newer" in shown(answer)
    assert answer.blocks[1]["elements"][0]["text"]["text"] == "Return to 8d02b64e"
    assert "Roll back" not in shown(answer)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (RUN, "1 approval until"),
        (replace(RUN, approvals_needed=2), "2 approvals until"),
        (replace(RUN, approvals_needed=0, state=RunState.PLANNED), "your confirmation until"),
        (replace(RUN, state=RunState.APPROVED), "starts immediately"),
    ],
)
def test_filed_answer_names_what_the_run_waits_for(run: Run, words: str) -> None:
    answer = filed_answer(run)

    assert answer.private
    assert words in answer.text


def test_a_first_of_two_approvals_is_acknowledged() -> None:
    assert "1 approval still missing" in decided_answer(RUN, missing=1, notes=()).text


def test_a_refusal_is_private_and_reports_why() -> None:
    answer = refused_answer("Not on Sundays. <@U0ANN000001> decides.", NextStep("Run 7", "run 7"))

    assert answer.private
    assert answer.status is Status.FAIL
    assert "Not on Sundays. <@U0ANN000001> decides." in answer.text
    assert answer.blocks[-1]["elements"][0]["value"] == "run 7"


def test_a_ruling_names_its_rule() -> None:
    rulings = [Ruling("request", True, "line 19"), Ruling("approve", False, "You don't have permission.")]

    text = shown(policy_answer("U0ANN000001", "rollback api", rulings, risk=Risk.HIGH, policy_hash="ab" * 32))

    assert "✅ may request: line 19" in text
    assert "🔴 may not approve: You don't have permission." in text


def test_why_reports_the_steps_that_explain_it_and_who_was_refused() -> None:
    step = RunStep(12, 0, {"kind": "LockService"}, StepState.FAILED, None, None, "Railway said no", NOW, NOW)
    fine = replace(step, position=1, state=StepState.DONE, note="all well")

    text = shown(why_answer(Record(replace(RUN, outcome="given up"), (step, fine), (), (REFUSAL,))))

    assert "Railway said no" in text
    assert "all well" not in text
    assert "<@U0OTTO00001> tried to approve run" in text
    assert "Refused: " in text


def test_why_of_a_waiting_run_counts_its_approvals() -> None:
    assert "0 of 1 approvals" in shown(why_answer(Record(RUN, (), (), ())))


def test_only_refusals_are_refusals() -> None:
    text = shown(refusals_answer([REFUSAL, replace(REFUSAL, seq=3, event="run.filed", actor="U0OLIVIA001")]))

    assert "U0OTTO00001" in text
    assert "U0OLIVIA001" not in text


@pytest.mark.parametrize("service", ["workers", "ingest"])
def test_a_stop_without_a_reason_is_one_tap_away(service: str) -> None:
    answer = presets_answer(service)

    first = answer.blocks[1]["elements"][0]
    assert first["value"] == f"stop-workers {service} {PRESETS[0]}"
    assert first["confirm"]["title"]["text"] == f"Stop {service} now?"
    assert refused(answer) == []


def test_slack_accepts_decision_views_with_hostile_content() -> None:
    hostile_run = replace(RUN, title=HOSTILE, outcome=HOSTILE)
    candidate = replace(BEST, message=HOSTILE)
    rows = [replace(REFUSAL, details={"why": HOSTILE})] * 300
    answers = [
        filed_answer(hostile_run),
        decided_answer(hostile_run, missing=0, notes=()),
        why_answer(Record(hostile_run, (), (), tuple(rows))),
        refusals_answer(rows),
        offer_answer("api", Offer((candidate,) * 50)),
    ]

    assert [refused(answer) for answer in answers] == [[]] * len(answers)
