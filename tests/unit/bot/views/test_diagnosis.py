"""A diagnosis on a phone: the cause and the remedy in the first line, everything else behind a button."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.commands.health import health_answer, health_headline
from bot.types import Answer
from bot.views.diagnosis import doctor_answer, gate_answer
from bot.views.terminal import answer_text
from playbooks import doctor, health, prod_gate
from playbooks.model import Finding, Status
from playbooks.root_causes import Diagnosed
from services.sandbox.slack.limits import violations
from tests.unit.playbooks.healthy import HEALTHY, NOW
from tests.unit.playbooks.test_diagnosis import AWAY_SINCE, CASES, STOPPED, WELL, Case

SINCE = f"<!date^{int(AWAY_SINCE.timestamp())}^{{time}}|2025-12-20 10:22 UTC>"


def asked(facts: doctor.Facts, *, show_all: bool = False) -> Answer:
    return doctor_answer(doctor.report(facts), notes=["took 9 ms"], show_all=show_all)


def first_block(answer: Answer) -> str:
    return str(answer.blocks[0]["text"]["text"])


def values(answer: Answer) -> list[str]:
    """The commands and addresses of the buttons, in order."""
    found: list[str] = []
    for block in answer.blocks:
        elements = [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else [])]
        found += [one.get("value", one.get("url", "")) for one in elements if one.get("type") == "button"]
    return found


def test_the_first_line_is_the_cause_and_what_to_do() -> None:
    answer, cause = asked(STOPPED), doctor.report(STOPPED).diagnosed.causes[0]

    assert first_block(answer).startswith(f"🔴 *{cause.title} since {SINCE}.* {cause.detail}")
    assert answer.text.startswith(f"🔴 *{cause.title} since")
    assert answer.status is Status.FAIL


def test_doctor_counts_findings_that_follow_from_a_cause_and_links_them() -> None:
    answer = asked(STOPPED)

    assert "15 other findings follow from it." in str(answer.blocks)
    assert "doctor all" in values(answer)
    assert "grants" not in str(answer.blocks)
    assert len(answer.blocks) <= 4


def test_diagnosis_shows_everything_on_request() -> None:
    shown = answer_text(asked(STOPPED, show_all=True))

    assert "HTTP 503" in shown
    assert "heartbeats unknown" in shown


def test_doctor_is_one_line_when_nothing_is_wrong() -> None:
    answer = asked(replace(WELL, env=replace(WELL.env, variables={})))

    assert first_block(answer).startswith("✅ *doctor")
    assert answer.status is Status.OK
    assert len(answer.blocks) == 2
    assert "more" not in first_block(answer)


def test_doctor_reports_past_problems_with_their_time_and_stays_green() -> None:
    old = Finding("logs.api.requests", Status.OK, "api: GET /api/health 503", was_wrong=(AWAY_SINCE, NOW))
    report = doctor.report(WELL)

    answer = doctor_answer(replace(report, past=(old,)), notes=[])

    assert answer.status is Status.OK
    assert f"was wrong {SINCE}" in str(answer.blocks)
    assert "🔴" not in str(answer.blocks)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_slack_takes_every_answer_and_the_headline_is_there_once(case: Case) -> None:
    answers = [
        asked(case.facts),
        health_answer(health.report(case.facts.health), moment=NOW, elapsed_ms=9),
        gate_answer("prod gate", *gates(case.facts)),
    ]

    for answer in answers:
        assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")
        assert json.dumps(list(answer.blocks)).count(case.title) <= 1


def gates(facts: doctor.Facts) -> tuple[list[Finding], Diagnosed]:
    seen = prod_gate.Facts(facts.health, facts.drift, facts.exposures)
    return prod_gate.check(seen), prod_gate.find_causes(seen)


def test_gates_that_follow_are_named_in_one_line() -> None:
    found, diagnosed = gates(STOPPED)

    answer = gate_answer("prod gate", found, diagnosed)

    assert first_block(answer) == "🔴 *prod gate*: 5 of 5 gates fail"
    shown = str(answer.blocks)
    assert diagnosed.causes[0].title in shown
    assert "API health, Database connectivity, Schema consistency, Worker heartbeats, Security audit" in shown
    assert answer.private


def test_a_healthy_system_is_one_line_two_buttons_and_no_plumbing() -> None:
    answer = health_answer(health.report(HEALTHY), moment=NOW, elapsed_ms=9)

    assert first_block(answer) == "✅ *prod is healthy*"
    assert len(answer.blocks) == 3
    assert values(answer) == ["health all", "https://railway.com/project/p"]


def test_health_can_be_unfolded() -> None:
    shown = answer_text(health_answer(health.report(HEALTHY), moment=NOW, elapsed_ms=9, show_all=True))

    assert "ingest 1 of 1 alive" in shown


def test_the_time_of_the_cause_is_in_the_headline_of_health_and_home() -> None:
    reported = health_headline(health.report(STOPPED.health))

    assert reported.startswith("🔴 *prod")
    assert "database" in reported
    assert reported.endswith(f"* since {SINCE}")
