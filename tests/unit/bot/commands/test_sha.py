"""The answer of `sha`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.commands.sha import sha_answer
from bot.types import Answer
from playbooks.model import Finding, Status
from playbooks.sha import ServiceSha
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.sandbox.slack.limits import violations

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
SHA = "a1b2c3d4" + "0" * 32
SAME = Finding("sha.same", Status.OK, "all services run a1b2c3d4")
DEPLOYMENT = Deployment("d1", DeploymentStatus.SUCCESS, NOW, commit_sha=SHA, commit_message="Fix it", author="Ann")
FINE = ServiceSha(Service.API, DEPLOYMENT, (SHA[:8],), Finding("sha.api", Status.OK, "api runs a1b2c3d4"))
WRONG = ServiceSha(
    Service.INGEST, DEPLOYMENT, ("0ddba110",), Finding("sha.ingest", Status.FAIL, "ingest runs 0ddba110, not a1b2c3d4")
)


def lines(answer: Answer) -> list[str]:
    return [block["text"]["text"] for block in answer.blocks if block["type"] == "section"]


def test_reports_what_runs_what_was_deployed_since_when_and_by_whom() -> None:
    found = sha_answer([FINE], SAME, moment=NOW)

    assert lines(found)[0] == "✅ *all services run a1b2c3d4*"
    assert lines(found)[1].startswith("✅ *api* runs a1b2c3d4 · deployed a1b2c3d4 <!date^1766226600^")
    assert lines(found)[1].endswith("by Ann\n> Fix it")


def test_a_disagreement_is_called_out_first() -> None:
    found = sha_answer([FINE, WRONG], SAME, moment=NOW)

    assert lines(found)[0] == "🔴 wrong: *ingest runs 0ddba110, not a1b2c3d4*"
    assert lines(found)[1].startswith("🔴 wrong: *ingest* runs 0ddba110")
    assert found.status is Status.FAIL


def test_reports_why_something_is_unknown_or_absent() -> None:
    finding = Finding("sha.api", Status.UNKNOWN, "api unknown")
    silent = ServiceSha(Service.API, Unavailable("Railway", "HTTP 500"), Unavailable("API", "refused"), finding)
    nothing = ServiceSha(Service.API, None, (), finding)

    found = sha_answer([silent, nothing], SAME, moment=NOW)

    assert "does not report it (refused) · deployed unknown (HTTP 500)" in found.text
    assert "runs nothing · nothing is deployed" in found.text


def test_a_hostile_commit_does_no_harm() -> None:
    hostile = Deployment(
        "d1", DeploymentStatus.SUCCESS, NOW, commit_sha="<!here>", commit_message="<!channel>\n" * 9000, author="<@U1>"
    )
    row = ServiceSha(Service.API, hostile, ("<!everyone>",), FINE.finding)

    found = sha_answer([row] * 3, SAME, moment=NOW)

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
    assert not any(mark in str(found.blocks) + found.text for mark in ("<!channel", "<!here", "<@U1", "<!everyone"))


def test_json_has_the_whole_commit() -> None:
    data: Any = sha_answer([FINE], SAME, moment=NOW).data

    assert data["services"][0]["deployed"] == SHA
    assert data["services"][0]["reported"] == [SHA[:8]]
