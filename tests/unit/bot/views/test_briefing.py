"""What the thread is told by itself, within Slack's limits whatever is in it."""

from __future__ import annotations

from typing import Any

from bot.views.briefing import (
    changes_message,
    dashboards_message,
    findings_message,
    missing_message,
    oncall_message,
    rollback_message,
)
from playbooks._advice import Offer
from playbooks._contract import Finding, Status
from playbooks._recent_changes import Changes, Happening
from services.domain.oncall import Chain
from services.sandbox.slack.limits import violations
from tests.unit.bot.incidents.builders import CHAIN, NOW

EVIL = "<!channel> `x` <https://evil|good> ``` " + "A" * 9000
WRONG = Finding("queue", Status.FAIL, "318 wait", "oldest 9 min")
FINE = Finding("api", Status.OK, "API answers")


def test_changes_are_lines_and_no_change_is_said() -> None:
    told = changes_message(Changes((Happening(NOW, "ingest: deployment of a1b2c3d4"),), ()))[0]

    assert told.splitlines()[0] == "*1. What changed in the last two hours*"
    assert "ingest: deployment of a1b2c3d4" in told
    assert "Nothing was deployed" in changes_message(Changes((), ()))[0]


def test_not_knowing_is_not_the_same_as_nothing() -> None:
    told = changes_message(Changes((), ("runs: connection refused",)))[0]

    assert "Nothing was deployed" not in told
    assert "unknown: runs: connection refused" in told


def test_only_what_is_wrong_is_told() -> None:
    told = findings_message(3, "What the doctor finds", "doctor", [FINE, WRONG])[0]

    assert "318 wait" in told
    assert "API answers" not in told
    assert "Nothing that is wrong" in findings_message(3, "x", "doctor", [FINE])[0]


def test_links_lead_to_the_logs_of_the_project() -> None:
    assert "supabase.com/dashboard/project/abc/logs/postgres-logs" in str(dashboards_message("abc")[1])
    assert "SUPABASE_URL" in dashboards_message(None)[0]


def test_nowhere_to_go_back_to_is_said() -> None:
    assert "Nowhere to go back to is known for ingest" in rollback_message("ingest", Offer(()))[0]


def test_who_is_called_is_told_without_ringing_anybody() -> None:
    told = oncall_message(CHAIN)[0]

    assert told.splitlines()[1:] == ["1. ann, 5 min each", "2. ben, 10 min each"]
    assert "<@" not in told
    assert "Nobody" in oncall_message(Chain())[0]


def test_a_step_that_cannot_be_told_says_why() -> None:
    assert (
        "not known, no answer within 8 s"
        in missing_message(3, "What the doctor finds", "no answer within 8 s", "doctor")[0]
    )


def test_slack_takes_all_of_it_whatever_is_in_it() -> None:
    happenings = tuple(Happening(NOW, EVIL) for _ in range(100))
    findings = [Finding("x", Status.FAIL, EVIL, EVIL) for _ in range(100)]
    contents: list[Any] = [
        changes_message(Changes(happenings, (EVIL,))),
        findings_message(2, "x", "logs ingest", findings),
        dashboards_message("abc"),
        oncall_message(Chain(CHAIN.levels * 30, notes=(EVIL,))),
        missing_message(1, "x", EVIL, "runs"),
    ]

    assert [
        v for text, blocks in contents for v in violations({"text": text, "blocks": blocks}, surface="message")
    ] == []
