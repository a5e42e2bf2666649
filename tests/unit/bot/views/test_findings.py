"""Lists of findings: problems first, each with its next step as a button."""

from datetime import UTC, datetime, timedelta

from bot.views.findings import finding_line, findings_answer, past_lines, unavailable_answer
from bot.views.terminal import answer_text
from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable
from services.domain.services import Service

FINE = Finding("api", Status.OK, "api ok")
BROKEN = Finding("queue", Status.FAIL, "12 orphaned", "no <beat>", next_step=NextStep("Queue", "queue"))


def test_the_first_line_reports_the_state_in_words() -> None:
    answer = findings_answer("health", [FINE, BROKEN])

    assert answer.text.splitlines()[0] == "🔴 *WRONG* · health: 12 orphaned"
    assert answer.status is Status.FAIL


def test_failed_findings_come_before_passed_ones() -> None:
    odd = Finding("x", Status.WARN, "odd")

    blocks = findings_answer("health", [FINE, odd, BROKEN]).blocks

    assert blocks[0]["text"]["text"] == "🔴 *WRONG* · health: 2 findings"
    assert blocks[1]["text"]["text"] == "🔴 wrong: *12 orphaned* — no &lt;beat&gt;"
    assert blocks[1]["accessory"]["value"] == "queue"
    assert [block["text"]["text"] for block in blocks[2:]] == ["⚠️ warning: *odd*", "✅ *api ok*"]


def test_the_only_problem_is_shown_once() -> None:
    blocks = findings_answer("health", [FINE, BROKEN]).blocks

    assert blocks[0]["text"]["text"] == "🔴 *WRONG* · health: 12 orphaned — no &lt;beat&gt;"
    assert blocks[0]["accessory"]["value"] == "queue"
    assert blocks[1]["text"]["text"] == "✅ *api ok*"


def test_unknown_findings_are_one_line_with_a_health_button_while_the_database_is_away() -> None:
    away = unavailable_answer("incidents", Unavailable("database", "server not reachable", is_outage=True)).blocks
    unset = unavailable_answer("incidents", Unavailable("database", "SUPABASE_DB_URL is not set")).blocks

    assert [block["text"]["text"] for block in away] == ["❔ *incidents unknown* — server not reachable"]
    assert (away[0]["accessory"]["value"], unset[0]["accessory"]["value"]) == ("health", "check-config")


def test_past_problems_take_one_line_per_service() -> None:
    def past(title: str, service: Service, first: int, last: int) -> Finding:
        at = datetime(2026, 3, 1, 19, tzinfo=UTC)
        span = at + timedelta(minutes=first), at + timedelta(minutes=last)
        return Finding("logs", Status.OK, title, "", service, was_wrong=span)

    found = [
        past("ingest: not listening", Service.INGEST, 7, 12),
        past("ingest: connection lost", Service.INGEST, 6, 6),
        past("api: GET 503", Service.API, 8, 9),
    ]

    ingest, api = past_lines(found)

    assert "19:06" in ingest
    assert "19:12" in ingest
    assert ingest.endswith("*ingest: not listening (+ 1 other kind of line)*")
    assert api.endswith("*api: GET 503*")


def test_a_finding_that_names_its_status_is_not_prefixed_with_it() -> None:
    silent, odd = Finding("q", Status.UNKNOWN, "queue unknown"), Finding("r", Status.UNKNOWN, "nobody answers")

    assert finding_line(silent) == "❔ *queue unknown*"
    assert finding_line(odd) == "❔ unknown: *nobody answers*"


def test_the_first_line_counts_what_else_is_wrong() -> None:
    odd = Finding("x", Status.WARN, "odd")

    assert findings_answer("health", [odd, BROKEN]).text.startswith("🔴 *WRONG* · health: 12 orphaned, and 1 more\n")


def test_no_findings_mean_unknown() -> None:
    assert findings_answer("health", []).status is Status.UNKNOWN


def test_a_link_that_is_no_web_address_makes_no_button() -> None:
    finding = Finding("x", Status.WARN, "odd", next_step=NextStep("Open", url="javascript:alert(1)"))

    assert "accessory" not in findings_answer("health", [finding]).blocks[0]


def test_a_silent_source_is_unknown_and_reports_why() -> None:
    answer = unavailable_answer("logs", Unavailable("Railway", "no answer within 5 s"))

    assert answer.status is Status.UNKNOWN
    assert "no answer within 5 s" in answer_text(answer)


def test_a_step_that_two_findings_share_is_offered_once() -> None:
    again = Finding("jobs", Status.WARN, "3 failed", next_step=BROKEN.next_step)

    blocks = findings_answer("health", [BROKEN, again]).blocks

    assert ["accessory" in block for block in blocks] == [False, True, False]
