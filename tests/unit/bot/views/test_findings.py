"""What is wrong comes first, with its next step as a button."""

from bot.views.findings import finding_line, findings_answer, unavailable_answer
from bot.views.terminal import answer_text
from playbooks.model import Finding, NextStep, Status
from services.domain.errors import Unavailable

FINE = Finding("api", Status.OK, "api ok")
BROKEN = Finding("queue", Status.FAIL, "12 orphaned", "no <beat>", next_step=NextStep("Queue", "queue"))


def test_the_first_line_reports_the_state_in_words() -> None:
    answer = findings_answer("health", [FINE, BROKEN])

    assert answer.text.splitlines()[0] == "🔴 *WRONG* · health: 12 orphaned"
    assert answer.status is Status.FAIL


def test_what_is_wrong_comes_before_what_is_fine() -> None:
    blocks = findings_answer("health", [FINE, BROKEN]).blocks

    assert blocks[1]["text"]["text"] == "🔴 wrong: *12 orphaned* — no &lt;beat&gt;"
    assert blocks[1]["accessory"]["value"] == "queue"
    assert blocks[2]["text"]["text"] == "✅ *api ok*"


def test_what_reports_its_state_by_itself_is_not_reported_twice() -> None:
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

    assert "accessory" not in findings_answer("health", [finding]).blocks[1]


def test_a_silent_source_is_unknown_and_reports_why() -> None:
    answer = unavailable_answer("logs", Unavailable("Railway", "no answer within 5 s"))

    assert answer.status is Status.UNKNOWN
    assert "no answer within 5 s" in answer_text(answer)


def test_a_step_that_two_findings_share_is_offered_once() -> None:
    again = Finding("jobs", Status.WARN, "3 failed", next_step=BROKEN.next_step)

    blocks = findings_answer("health", [BROKEN, again]).blocks

    assert ["accessory" in block for block in blocks] == [False, True, False]
