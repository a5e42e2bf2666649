"""The health message: the answer first, phone-readable, within Slack's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.commands.health import MAX_BUTTONS, health_answer
from bot.types import Answer
from bot.views.terminal import answer_text
from playbooks import health
from playbooks.health import Line, Report
from playbooks.model import Finding, NextStep, Status, worst
from playbooks.root_causes import Cause, Diagnosis, Kind
from services.domain.freezes import FREEZE, LOCK, UNTIL_LIFTED, Freeze
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.unit.playbooks.healthy import HEALTHY

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
LOGS = NextStep("Logs of ingest", "logs ingest")
WRONG = Finding("heartbeats.ingest", Status.FAIL, "ingest is down (0 of 1)", "last beat 6 min ago", next_step=LOGS)
FINE = Finding("deployment.ingest", Status.OK, "ingest runs a1b2c3d4", "1 running")


def answer(*lines: Line, headline: str = "prod is not healthy: ingest is down (0 of 1)") -> Answer:
    findings = tuple(finding for line in lines for finding in line.findings)
    return health_answer(Report(headline, worst(findings), lines, findings), moment=NOW, elapsed_ms=41.7)


def buttons(answer: Answer) -> list[Any]:
    return [block["accessory"] for block in answer.blocks if "accessory" in block]


def test_the_first_line_is_the_answer() -> None:
    found = answer(Line("ingest", (WRONG, FINE)))

    assert found.text.splitlines()[0] == "🔴 *prod is not healthy: ingest is down (0 of 1)*"
    assert found.blocks[0]["text"]["text"] == "🔴 *prod is not healthy: ingest is down (0 of 1)*"
    assert found.status is Status.FAIL


def test_the_time_belongs_to_the_cause_and_not_to_what_is_counted_after_it() -> None:
    cause = Cause(Kind.WORKER, WRONG, frozenset({WRONG.check}), NOW)
    more = ", and 1 more"
    report = Report(
        f"prod is not healthy: {WRONG.title}{more}", Status.FAIL, (), (WRONG,), (Diagnosis(cause, ()),), more=more
    )

    found = health_answer(report, moment=NOW, elapsed_ms=1).text.splitlines()[0]

    assert found == (
        "🔴 *prod is not healthy: ingest is down (0 of 1)* "
        "since <!date^1766226600^{time}|2025-12-20 10:30 UTC>, and 1 more"
    )


def test_a_line_reports_its_subject_once_and_in_words() -> None:
    found = answer(Line("ingest", (WRONG, FINE)))

    assert found.blocks[1]["text"]["text"] == (
        "🔴 wrong: *ingest* is down (0 of 1) (last beat 6 min ago) · runs a1b2c3d4 (1 running)"
    )


def test_health_line_does_not_repeat_the_headline() -> None:
    same = Finding("sha.same", Status.WARN, "not all services run the same SHA", "api a1b2c3d4, ingest c45e17a9")

    found = answer(Line("SHA", (same,)), headline=f"prod is healthy, with a warning: {same.title}")

    assert found.blocks[1]["text"]["text"] == "⚠️ warning: *SHA* — api a1b2c3d4, ingest c45e17a9"
    assert str(found.blocks).count("the same SHA") == 1


def test_health_shows_freezes_though_nothing_is_wrong() -> None:
    since, hour = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    everything = Freeze(1, FREEZE, None, "U1", "release weekend", since, since, hour, owner_name="Olivia")
    held = (everything, replace(everything, id=2, service=Service.INGEST, kind=LOCK, ends_at=None))
    report = health.report(replace(HEALTHY, freezes=held))

    short = answer_text(health_answer(report, moment=NOW, elapsed_ms=1))
    whole = answer_text(health_answer(report, moment=NOW, elapsed_ms=1, show_all=True))

    for shown in (short, whole):
        assert shown.startswith("✅ prod is healthy")
        assert shown.count("frozen by Olivia until 11:30 UTC") == 1
        assert shown.count(f"locked by Olivia {UNTIL_LIFTED}") == 1
        assert shown.count("(release weekend)") == 2
    assert "🧊 ingest is locked" in short


def test_railway_is_one_button_to_the_project() -> None:
    at = "https://railway.com/project/p"
    found = [replace(FINE, evidence={"link": f"{at}/service/{name}"}) for name in ("api", "ingest")]

    shown = answer(*(Line(f"s{n}", (one,)) for n, one in enumerate(found)))

    assert [one.get("url") for one in shown.blocks[-1]["elements"]] == [None, at]


def test_the_fallback_reports_every_line() -> None:
    found = answer(Line("ingest", (WRONG,)), Line("api", (FINE,)))

    assert len(found.text.splitlines()) == 3


def test_each_wrong_line_has_its_next_step_once() -> None:
    found = answer(Line("ingest", (WRONG,)), Line("enforcement", (WRONG,)), Line("api", (FINE,)))

    assert [button["value"] for button in buttons(found)] == ["logs ingest"]
    assert "dragonfly logs ingest" in answer_text(found)


def test_a_bad_day_still_fits_on_a_phone() -> None:
    everything = [
        Line(f"s{n}", (Finding("x", Status.FAIL, "down", next_step=NextStep("Look", f"logs {n}")),)) for n in range(9)
    ]

    found = answer(*everything)

    assert len(buttons(found)) == MAX_BUTTONS
    assert len(found.blocks) <= 10


def test_hundreds_of_findings_in_a_line_are_counted() -> None:
    found = answer(Line("ingest", (WRONG,) * 300))

    assert "296 more" in found.blocks[1]["text"]["text"]


def test_json_has_the_findings_and_the_time_it_took() -> None:
    data: Any = answer(Line("ingest", (WRONG,))).data

    assert data["status"] == "fail"
    assert data["as_of"] == "2025-12-20T10:30:00+00:00"
    assert data["elapsed_ms"] == 41.7
    assert data["findings"][0]["next_step"]["command"] == "logs ingest"


@given(
    title=st.text(max_size=60_000),
    detail=st.sampled_from(["", "<!channel>", "&" * 5000, "x" * 50_000, "`*_~", "<https://evil|good>"]),
    count=st.integers(1, 12),
    status=st.sampled_from(Status),
)
def test_health_answer_is_accepted_by_slack_and_pages_no_one_for_any_finding(
    title: str, detail: str, count: int, status: Status
) -> None:
    finding = Finding("x", status, title, detail, next_step=LOGS)
    found = answer(*[Line(f"s{n}", (finding,) * n) for n in range(1, count + 1)], headline=title)

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
    assert "<!channel" not in str(found.blocks) + found.text
    assert "|good>" not in str(found.blocks)
