"""`deployments` and `logs` over Railway's wire, with lines that try to do harm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Actor, Answer, Request, Surface
from bot.views.terminal import answer_text
from bot.world import World
from playbooks.model import Status
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.errors import UsageError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations

SLACK = Request(surface=Surface.SLASH, actor=Actor("U1", "T1"), channel_id="C1")
Json = dict[str, Any]


def deployment(number: int, status: str = "SUCCESS", **more: object) -> Json:
    meta = {"commitHash": f"{number:08x}" * 5, "commitMessage": f"Change {number}", "commitAuthor": "Ann"}
    return {
        "id": f"d-{number}",
        "status": status,
        "createdAt": f"2025-12-20T10:{number:02}:00Z",
        "meta": meta,
        "instances": [],
        **more,
    }


@dataclass
class Railway:
    """Railway's answers: deployments of each service, the active one, and the logs by deployment."""

    deployments: list[Json] = field(default_factory=lambda: [deployment(1), deployment(2)])
    serving: Json | None = field(default_factory=lambda: deployment(2))
    logs: dict[str, list[str]] = field(default_factory=dict)
    build_logs: dict[str, list[str]] = field(default_factory=dict)
    filters: list[str] = field(default_factory=list)
    is_silent: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_silent:
            return httpx.Response(503)
        sent = json.loads(request.content)
        return httpx.Response(200, json={"data": self._data(sent["query"], sent.get("variables", {}))})

    def _data(self, document: str, variables: Json) -> Json:
        if "query readLogs" in document:
            self.filters.append(variables["filter"])
            return {"deploymentLogs": _lines(self.logs.get(variables["deploymentId"], []))}
        if "query readBuildLogs" in document:
            return {"buildLogs": _lines(self.build_logs.get(variables["deploymentId"], []))}
        if "query listDeployments" in document:
            return {"deployments": {"edges": [{"node": one} for one in self.deployments]}}
        nodes = [{"node": self._node(service)} for service in RUNBOOK.services]
        return {"environment": {"name": "production", "config": None, "serviceInstances": {"edges": nodes}}}

    def _node(self, service: Service) -> Json:
        active = [self.serving] if self.serving else []
        return {
            "serviceId": f"s-{service.short}",
            "serviceName": service.value,
            "activeDeployments": active,
            "latestDeployment": self.deployments[-1] if self.deployments else None,
        }


def _lines(messages: list[str]) -> list[Json]:
    return [
        {
            "timestamp": f"2025-12-20T10:{30 + n // 60}:{n % 60:02}.000000Z",
            "severity": "info",
            "message": message,
            "tags": {"deploymentInstanceId": f"replica-{n % 2}"},
        }
        for n, message in enumerate(messages)
    ]


@pytest.fixture
def railway() -> Railway:
    return Railway()


@pytest.fixture
async def world(railway: Railway) -> AsyncIterator[World]:
    client = RailwayClient(
        url="http://railway.test/graphql",
        token=Secret("t"),
        token_kind=TokenKind.PROJECT,
        project_id="p",
        environment_id="e",
        transport=httpx.MockTransport(railway.answer),
    )
    world = World(Settings.from_environment({}), railway=client)
    yield world
    await world.close()


def refused(answer: Answer) -> list[object]:
    payload = {"channel": "C0000001", "text": answer.text, "blocks": list(answer.blocks)}
    return list(violations(payload, surface="message", method="chat.update"))


async def test_logs_are_those_of_the_serving_deployment(world: World, railway: Railway) -> None:
    railway.deployments.append(deployment(3, "FAILED"))
    railway.logs = {"d-2": ["Entering main loop...", "Jane Roe paid $12"], "d-3": ["wrong one"]}

    answer = await run("logs ingest", SLACK, world)

    shown = answer_text(answer)
    assert answer.private
    assert "Log of ingest · 2 lines · deployment 00000002 (running, SUCCESS)" in shown
    assert "10:30:00 info [ca-0] Entering main loop..." in shown
    assert "10:30:01 info [ca-1] …" in shown
    assert "Jane" not in shown + str(answer.data)


async def test_of_a_failed_deployment_that_never_ran_the_build_is_shown(world: World, railway: Railway) -> None:
    railway.deployments.append(deployment(3, "FAILED"))
    railway.build_logs = {"d-3": ["error: module not found"]}

    answer = await run("logs api --failed", SLACK, world)

    assert "Build log of api · 1 line · deployment 00000003" in answer_text(answer)
    assert "last that failed, FAILED" in answer_text(answer)
    assert "module not found" in answer_text(answer)


async def test_of_one_that_crashed_its_own_log_is_shown(world: World, railway: Railway) -> None:
    railway.deployments.append(deployment(3, "CRASHED"))
    railway.logs = {"d-3": ["[ingest_processor] CRITICAL: Crash loop detected after 10 failures"]}

    assert "Crash loop detected after 10 failures" in answer_text(await run("logs ingest —failed", SLACK, world))


async def test_when_nothing_serves_the_newest_is_shown(world: World, railway: Railway) -> None:
    railway.serving = None

    assert "deployment 00000002 (the newest, nothing runs" in answer_text(await run("logs api", SLACK, world))


async def test_without_a_failed_deployment_reports_so_and_not_as_a_failure(world: World) -> None:
    with pytest.raises(UsageError, match="no failed deployment"):
        await run("logs api --failed", SLACK, world)


async def test_a_filter_goes_to_railway_in_its_own_words(world: World, railway: Railway) -> None:
    await run('logs ingest @level:error "Crash loop"', SLACK, world)

    assert railway.filters == ["", '@level:error "Crash loop"']  # unfiltered first: it shows what is over


async def test_logs_lead_with_what_the_lines_report(world: World, railway: Railway) -> None:
    denied = "[ingest_processor] Job failed: permission denied for table judgments"
    railway.logs = {"d-2": ["PostgreSQL connection established", *[denied] * 3]}

    answer = await run("logs ingest", SLACK, world)

    shown = answer_text(answer)
    first = "wrong: ingest: [ingest_processor] Job failed: permission denied for table judgments"
    assert shown.startswith(f"🔴 WRONG · logs: 2 findings\n🔴 {first}")
    assert "permissions, 3 lines" in shown
    assert "Wrong role" in shown
    assert "→ Variables of ingest: dragonfly env ingest" in shown
    assert "✅ ingest DB connectivity: PostgreSQL connection established" in shown
    assert answer.status is Status.FAIL
    assert refused(answer) == []


async def test_logs_do_not_lead_to_themselves(world: World, railway: Railway) -> None:
    railway.logs = {"d-2": ["[ingest_processor] CRITICAL: Crash loop detected after 10 failures"]}

    shown = answer_text(await run("logs ingest", SLACK, world))

    assert "10 consecutive failures" in shown
    assert "→ Deployments of ingest: dragonfly deployments ingest" in shown


async def test_a_filter_does_not_hide_that_a_failure_is_over(world: World, railway: Railway) -> None:
    railway.logs = {"d-2": ["Connection refused", "", "PostgreSQL connection established"]}

    answer = await run("logs ingest refused", SLACK, world)

    assert answer.status is Status.WARN
    assert "was wrong" in answer_text(answer), answer_text(answer)


@pytest.mark.parametrize(
    "line",
    [
        "<!channel> <@U1> <!subteam^S1>",
        "<http://evil.example|https://good.example>",
        "``` *bold* `x`",
        "x" * 50_000,
        "error " * 9000,
        "\ud800 \u202e \x1b[2J \x00",
        "",
    ],
)
async def test_hostile_lines_stay_harmless_and_fit(world: World, railway: Railway, line: str) -> None:
    railway.logs = {"d-2": [line.encode("utf-8", "surrogatepass").decode("utf-8", "replace")] * 200}

    filtered = await run(f'logs ingest "{line[:300]}"', SLACK, world)
    answer = await run("logs ingest -n 200", SLACK, world)

    assert refused(answer) + refused(filtered) == []
    assert "<!" not in (answer.text + filtered.text).replace("<!date^", "")
    assert "\x1b" not in answer_text(answer)


async def test_the_newest_lines_win_when_not_all_fit(world: World, railway: Railway) -> None:
    railway.logs = {"d-2": [f"{n} " + "error " * 40 for n in range(199)] + ["Entering main loop..."]}

    answer = await run("logs ingest -n 200", SLACK, world)

    assert "Entering main loop..." in answer_text(answer)
    assert "older lines did not fit" in answer_text(answer)


async def test_raw_lines_are_for_the_terminal(world: World, railway: Railway) -> None:
    railway.logs = {"d-2": ["Jane Roe paid $12"]}

    answer = await run("logs ingest --raw", Request(surface=Surface.TERMINAL), world)

    assert "Jane Roe paid $12" in answer_text(answer)
    with pytest.raises(UsageError, match="terminal only"):
        await run("logs ingest --raw", SLACK, world)


async def test_a_terminal_has_room_for_every_raw_line(world: World, railway: Railway) -> None:
    railway.logs = {"d-2": [f"line {n} " + "x" * 900 for n in range(100)]}

    shown = answer_text(await run("logs ingest --raw -n 100", Request(surface=Surface.TERMINAL), world))

    assert [n for n in range(100) if f"line {n} xxx" not in shown] == []


async def test_deployments_mark_what_serves_and_what_can_be_rolled_back_to(world: World, railway: Railway) -> None:
    railway.deployments = [deployment(n, canRollback=n < 4) for n in range(12)]

    answer = await run("deployments ingest", SLACK, world)

    rows = [[cell["text"] for cell in row] for row in answer.blocks[2]["rows"][1:]]
    assert len(rows) == 10
    assert [row[0] for row in rows if row[1] == "SUCCESS (runs)"] == ["00000002"]
    assert [row[3] for row in rows] == ["—"] * 8 + ["possible"] * 2
    assert refused(answer) == []


async def test_a_hostile_commit_message_stays_harmless(world: World, railway: Railway) -> None:
    meta = {"commitHash": "<!channel>", "commitMessage": "<!channel>" * 900, "commitAuthor": "<@U1>"}
    railway.deployments = [deployment(n, meta=meta) for n in range(12)]

    assert refused(await run("deployments api", SLACK, world)) == []


@pytest.mark.parametrize("line", ["logs api", "deployments api"])
async def test_a_silent_railway_is_unknown(world: World, railway: Railway, line: str) -> None:
    railway.is_silent = True

    answer = await run(line, SLACK, world)

    assert answer.status is Status.UNKNOWN
    assert refused(answer) == []


async def test_verify_knows_a_commit_by_four_characters(world: World, railway: Railway) -> None:
    railway.deployments.append(deployment(3, meta={"commitHash": "c45e17a9" * 5}))

    answer = await run("verify ingest c45e", SLACK, world)

    assert "c45e17a9" in answer.text


async def test_verify_offers_the_commits_that_begin_so(world: World) -> None:
    with pytest.raises(UsageError, match="2 commits begin") as refused:
        await run("verify ingest 0000", SLACK, world)

    assert sorted(choice.line for choice in refused.value.choices) == [
        "verify ingest 00000001",
        "verify ingest 00000002",
    ]


async def test_verify_takes_no_four_characters_while_railway_is_silent(world: World, railway: Railway) -> None:
    railway.is_silent = True

    with pytest.raises(UsageError, match="list all deployments"):
        await run("verify ingest 0000", SLACK, world)
