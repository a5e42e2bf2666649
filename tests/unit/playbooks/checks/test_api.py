"""The checks of the API's health and of its intake's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from playbooks.checks import api
from playbooks.checks.api import Facts, check
from playbooks.model import Finding, Status
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth, IntakeHealth
from services.domain.systems import RUNBOOK

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)


def health(
    *, http_status: int = 200, status: str = "ok", environment: str = "prod", db_connected: bool = True
) -> ApiHealth:
    return ApiHealth(http_status, status, environment, "a1b2c3d4", db_connected, NOW, 12.4)


def check_one(answer: ApiHealth | Unavailable, environment: str | None = "prod") -> Finding:
    [finding] = check(Facts(answer, environment, system=RUNBOOK))
    return finding


def test_the_runbooks_answer_is_fine() -> None:
    finding = check_one(health())

    assert (finding.status, finding.title) == (Status.OK, "api ok in 12 ms")
    assert finding.evidence["git_sha"] == "a1b2c3d4"


@pytest.mark.parametrize(
    "answer",
    [
        health(http_status=503, status="degraded", db_connected=False),
        health(http_status=503, status="degraded"),
        health(status="starting"),
        health(db_connected=False),
        health(environment="staging"),
    ],
)
def test_any_other_answer_is_wrong_and_leads_to_the_logs(answer: ApiHealth) -> None:
    finding = check_one(answer)

    assert finding.status is Status.FAIL
    assert finding.next_step is not None
    assert finding.next_step.command == "logs api"


def test_api_check_is_unknown_only_without_an_environment() -> None:
    unnamed = check_one(replace(health(), environment=None))
    bare = check_one(replace(health(), git_sha=None, db_connected=None))

    assert unnamed.status is Status.UNKNOWN
    assert "environment" in unnamed.title

    assert (bare.status, bare.title) == (Status.OK, "api ok in 12 ms")
    assert bare.detail.startswith("SHA unknown, ")
    assert "database" in bare.detail


def test_no_answer_is_unknown_and_reports_why() -> None:
    finding = check_one(Unavailable("API", "no answer within 5 s"))

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "no answer within 5 s")


@pytest.mark.parametrize(("http_status", "status"), [(404, Status.UNKNOWN), (500, Status.FAIL), (502, Status.FAIL)])
def test_an_error_of_the_server_is_an_answer(http_status: int, status: Status) -> None:
    reason = Unavailable("API", f"HTTP {http_status}", http_status)

    assert check_one(reason).status is status
    assert [finding.status for finding in api.check_intake(reason, system=RUNBOOK)] == [status]


def test_without_an_environment_of_our_own_nothing_can_be_compared() -> None:
    assert check_one(health(), environment=None).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (IntakeHealth(200, "ok", True, 0, None, 9.0), Status.OK),
        (IntakeHealth(503, "degraded", False, None, None, 9.0), Status.FAIL),
        (IntakeHealth(200, "degraded", True, None, None, 9.0), Status.FAIL),
        (Unavailable("API", "connection refused"), Status.UNKNOWN),
    ],
)
def test_the_intake_is_judged_likewise(answer: IntakeHealth | Unavailable, status: Status) -> None:
    assert [finding.status for finding in api.check_intake(answer, system=RUNBOOK)] == [status]
