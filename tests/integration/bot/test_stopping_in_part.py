"""Railway stops the first of a service's two deployments and refuses the second: the answer says so of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from bot.runs.emergency_stop import stop_without_journal
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import StopService
from services.domain.services import Service
from tests.integration.bot.conftest import MakeWorld, Outside


@dataclass
class TwoDeployments(Outside):
    """A Railway in which the worker has two running deployments; it refuses to stop the second."""

    is_first_stopped: bool = False

    async def answer_railway(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if "mutation" not in asked["query"]:
            states = {"d-1": "STOPPED" if self.is_first_stopped else "RUNNING", "d-2": "RUNNING"}
            self.nodes[Service.INGEST] = {"activeDeployments": [_deployment(*one) for one in states.items()]}
            return await super().answer_railway(request)
        if asked["variables"]["id"] == "d-1":
            self.is_first_stopped = True
            return httpx.Response(200, json={"data": {"deploymentStop": True}})
        return httpx.Response(404)


def _deployment(deployment_id: str, status: str) -> dict[str, Any]:
    instances = [{"id": f"i-{deployment_id}", "status": status}]
    moment = "2026-11-29T12:00:00Z"
    return {"id": deployment_id, "status": "SUCCESS", "createdAt": moment, "meta": {}, "instances": instances}


@pytest.fixture
def outside() -> Outside:
    return TwoDeployments()


async def test_a_stop_that_is_refused_in_the_middle_reports_which_deployment_stands(make_world: MakeWorld) -> None:
    world = make_world(None)
    world.settings = replace(world.settings, runs=replace(world.settings.runs, settle_s=0.1))
    plan = Plan(
        "prod", "stop-workers", {}, (StopService(Service.INGEST, "d-1", 1),), Risk.BREAK_GLASS, "Stop ingest", ()
    )

    (reported,) = await stop_without_journal(plan, world)

    assert not reported.is_stopping
    assert "HTTP 404" in reported.note
    assert reported.note.endswith("done in part: d-1 of ingest stopped")
