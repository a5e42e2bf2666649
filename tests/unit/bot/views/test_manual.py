"""A plan as a person carries it out by hand."""

from __future__ import annotations

import typing

import pytest

from bot.views.manual import by_hand, manual_answer
from playbooks._contract import Plan, Risk
from playbooks._steps import (
    ApplySqlFile,
    DeployCommit,
    RequeueJobs,
    RollBackDeployment,
    ScaleService,
    Soak,
    Step,
    StopService,
    VerifySha,
)
from services.domain.services import Service
from services.sandbox.slack.limits import violations

PLAN = Plan("prod", "scale", {}, (ScaleService(Service.INGEST, 1, 2), Soak(Service.INGEST, 120, 1)), Risk.HIGH, "Scale")
LINK = "https://railway.com/project/p/service/s?environmentId=e"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (ScaleService(Service.INGEST, 1, 2), "Railway → dragonfly-worker-ingest → Settings → Replicas → 2"),
        (StopService(Service.INGEST, "d-1", 1), "Railway → dragonfly-worker-ingest → Deployments → d-1 → Remove"),
        (RollBackDeployment(Service.API, "d-2", "d-1", "ab" * 20), "Deployments → d-1 (abababab) → Rollback"),
        (DeployCommit(Service.API, "ab" * 20, None), f"git checkout {'ab' * 20} && railway up --service dragonfly-api"),
        (VerifySha(Service.API, "ab" * 20, 9), "curl -s $DRAGONFLY_API_BASE/api/health | jq .git_sha  → abababab"),
        (VerifySha(Service.INGEST, "ab" * 20, 9), "FROM ops.worker_heartbeats"),
        (ApplySqlFile("20260101000000", "c", "h"), "-f sql/rollbacks/20260101000000_rollback.sql"),
        (RequeueJobs(("a", "b")), "ops.requeue_jobs('{a,b}'::uuid[]"),
    ],
)
def test_a_step_says_where_to_click_or_what_to_type(step: Step, told: str) -> None:
    assert told in (by_hand(step) or "")


def test_the_answer_names_the_pages_and_is_no_success() -> None:
    answer = manual_answer(PLAN, "Slack is <!here> away", {Service.INGEST: LINK, Service.API: "https://elsewhere"})

    payload = {"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}
    assert list(violations(payload, surface="message")) == []
    data = typing.cast("dict[str, object]", answer.data)
    assert (answer.status.value, data["why"]) == ("fail", "Slack is <!here> away")
    assert LINK in str(answer.blocks)
    assert "elsewhere" not in str(answer.blocks)
    assert "<!here>" not in str(answer.blocks)
