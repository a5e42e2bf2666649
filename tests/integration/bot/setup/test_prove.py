"""`prove` against the local Railway and Slack, with differences planted in their answers."""

from __future__ import annotations

import json
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from bot.setup.prove import Options, prove_assumptions, read_options
from bot.setup.prove_railway import Waits
from bot.types import Answer
from services.domain.errors import OperatorError, UsageError
from services.domain.status import Status
from services.sandbox.railway.control import GraphQLEndpoint
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Pace, ServiceSpec, newest_good
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import INCIDENTS_ID
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.setup.test_init import Typist, wrong
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

SERVICE = "scratch-web"
PHRASE = f"prove {SERVICE} in scratch"
CHANGES = ("deployCommit", "commitPatch", "stop(", "rollBack", "redeploy", "setAutoDeploy")
SLEEP = "import time; time.sleep(600)"
PACE = Pace(0.05, 0.0, 0.05, 60.0, 0.05, 2, 2.0, 0.05, 1)
Data = dict[str, Any]


@dataclass
class Scratch:
    """`planted`: called with a document and its answer's data before the answer is sent; it may change the data or,
    when the data is None, keep the call from Railway or refuse it (HTTPException). `changes`: the changes sent, and
    their number."""

    railway: LocalRailway
    workspace: Workspace
    folder: Path
    url: str = ""
    planted: Callable[[str, Data | None], Data | None] = lambda _document, data: data
    changes: Counter[str] = field(default_factory=Counter)
    waits: Waits = field(default_factory=lambda: Waits(every=0.05, listed=60.0, built=60.0, send=30.0))

    def met(self) -> None:
        """Shorten the wait for the list: nothing follows the planted difference."""
        object.__setattr__(self.waits, "listed", 0.2)

    async def run(self, *typed: str, dry_run: bool = False, more: Mapping[str, str] = MappingProxyType({})) -> Answer:
        place = self.railway.place
        environ = {
            "ENVIRONMENT": "dev",
            "SUPABASE_MODE": "dev",
            "RAILWAY_TOKEN": "t",
            "RAILWAY_PROJECT_ID": place.project_id,
            "RAILWAY_ENVIRONMENT_ID": place.environment_id,
            "RAILWAY_API_URL": f"{self.url}/railway",
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1",
            "SLACK_API_URL": f"{self.url}/slack/api/",
        }
        named = {"project": place.project_id, "environment": "scratch"}
        named |= {name: value for name, value in more.items() if name in named}
        options = Options(SERVICE, **named, file=self.folder / ".env", dry_run=dry_run, waits=self.waits)
        self.console = Typist(deque(typed))
        given = {name: value for name, value in {**environ, **more}.items() if value and name.isupper()}
        return await prove_assumptions(options, given, self.console)

    @property
    def is_as_before(self) -> bool:
        service = self.railway.services[SERVICE]
        active = service.active
        runs = active is not None and sum(one.pid is not None for one in active.replicas)
        sha = newest_good(self.railway.commits).sha
        return list(service.regions.values()) == [1] and active is not None and active.commit.sha == sha and runs == 1


@pytest.fixture
async def scratch(tmp_path: Path) -> AsyncIterator[Scratch]:
    services = [ServiceSpec(SERVICE, (sys.executable, "-I", "-S", "-c", SLEEP))]
    railway = LocalRailway(
        services,
        directory=tmp_path,
        working_directory=tmp_path,
        token="t",
        pace=PACE,
        environment_name="scratch",
    )
    workspace, app = Workspace(), FastAPI()
    app.include_router(build_slack_router(workspace))
    endpoint, made = GraphQLEndpoint(railway), Scratch(railway, workspace, tmp_path)

    @app.post("/railway")
    async def answer(request: Request) -> Response:
        document = str((await request.json())["query"])
        if document.lstrip("# ").find("mutation ") >= 0:
            made.changes += Counter(one for one in CHANGES if f"mutation {one}" in document)
        kept = made.planted(document, None)
        if kept is not None:
            return JSONResponse({"data": kept})
        response = await endpoint.answer(request)
        data = json.loads(bytes(response.body))
        if data.get("data"):
            data["data"] = made.planted(document, data["data"]) or data["data"]
        return JSONResponse(data)

    await railway.start()
    try:
        await railway.wait_until_serving(60)
        async with serve(app) as url:
            workspace.base_url = made.url = url
            yield made
    finally:
        await railway.stop()
        await workspace.close()


async def test_prove_finds_nothing_on_the_sandbox_and_leaves_everything_as_before(scratch: Scratch) -> None:
    answer = await scratch.run(PHRASE)

    assert wrong(answer) == {}
    assert answer.status is Status.OK
    assert scratch.is_as_before
    assert scratch.changes == {"deployCommit": 1, "commitPatch": 2, "stop(": 1, "rollBack": 1}
    assert scratch.workspace.messages.in_channel(INCIDENTS_ID) == []


def no_id(_: Scratch, document: str, data: Data | None) -> Data | None:
    return {"serviceInstanceDeployV2": ""} if data and "deployCommit" in document else None


def another_id(_: Scratch, document: str, data: Data | None) -> Data | None:
    return {"serviceInstanceDeployV2": "another"} if data and "deployCommit" in document else None


def nothing_follows_a_deploy(scratch: Scratch, document: str, _: Data | None) -> Data | None:
    if "deployCommit" not in document:
        return None
    scratch.met()
    return {"serviceInstanceDeployV2": "never-listed"}


def no_commit(_: Scratch, document: str, data: Data | None) -> Data | None:
    if data is None or "listDeployments" not in document:
        return None
    for edge in data["deployments"]["edges"]:
        edge["node"]["meta"] = {}
    return data


def scaling_deploys(scratch: Scratch, document: str, data: Data | None) -> Data | None:
    if data is not None and "commitPatch" in document and scratch.changes["commitPatch"] == 1:
        scratch.railway.deploy(SERVICE, newest_good(scratch.railway.commits).sha)
    return None


def stop_is_not_marked(scratch: Scratch, document: str, data: Data | None) -> Data | None:
    if "mutation stop(" in document:
        scratch.met()
    if data is None or not scratch.changes["stop("] or "readServices" not in document:
        return None
    return json.loads(json.dumps(data).replace('"deploymentStopped": true', '"deploymentStopped": false'))  # type: ignore[no-any-return]


def no_rollback(_: Scratch, document: str, data: Data | None) -> Data | None:
    if data is None or "listDeployments" not in document:
        return None
    return json.loads(json.dumps(data).replace('"canRollback": true', '"canRollback": false'))  # type: ignore[no-any-return]


def nothing_follows_a_rollback(scratch: Scratch, document: str, _: Data | None) -> Data | None:
    if "mutation rollBack" not in document:
        return None
    scratch.met()
    return {"deploymentRollback": True}


def rollback_answers_oddly(_: Scratch, document: str, data: Data | None) -> Data | None:
    return {"deploymentRollback": {"id": "d"}} if data and "mutation rollBack" in document else None


PLANTED = {
    "railway.deploy.id": no_id,
    "railway.deploy.same_id": another_id,
    "railway.deploy.listed": nothing_follows_a_deploy,
    "railway.deploy.commit": no_commit,
    "railway.scale.same": scaling_deploys,
    "railway.stop": stop_is_not_marked,
    "railway.rollback.offered": no_rollback,
    "railway.rollback.listed": nothing_follows_a_rollback,
    "railway.rollback": rollback_answers_oddly,
}


@pytest.mark.parametrize("check", PLANTED)
async def test_prove_names_each_planted_difference_and_restores_what_it_changed(scratch: Scratch, check: str) -> None:
    def planted(document: str, data: Data | None) -> Data | None:
        return PLANTED[check](scratch, document, data)

    scratch.planted = planted

    answer = await scratch.run(PHRASE)

    assert check in wrong(answer), wrong(answer)
    assert answer.status in (Status.FAIL, Status.UNKNOWN)
    assert scratch.is_as_before
    assert all(count == 1 for name, count in scratch.changes.items() if name != "commitPatch"), scratch.changes


async def test_prove_keeps_its_findings_and_restores_over_a_read_that_fails(scratch: Scratch) -> None:
    reads = Counter[str]()

    def planted(document: str, data: Data | None) -> Data | None:
        if data is None and scratch.changes["redeploy"] and "mutation" not in document:
            reads["after"] += 1
            if reads["after"] == 1:
                raise HTTPException(503)
        return no_rollback(scratch, document, data)

    scratch.planted = planted

    answer = await scratch.run(PHRASE)

    assert reads["after"] > 1
    assert set(wrong(answer)) == {"railway.rollback.offered"}
    assert scratch.is_as_before


async def test_prove_restores_the_rest_where_one_change_is_refused(scratch: Scratch) -> None:
    """The replicas are refused, the commit is restored; a person does what was refused."""

    def planted(document: str, data: Data | None) -> Data | None:
        if data is not None and scratch.changes["stop("] and "listDeployments" in document:
            scratch.railway.scale(SERVICE, 2)
        if data is None and scratch.changes["stop("] and "mutation commitPatch" in document:
            raise HTTPException(422)
        if data is not None and "mutation redeploy" in document:
            scratch.railway.scale(SERVICE, 1)
        return no_rollback(scratch, document, data)

    scratch.planted = planted

    await scratch.run(PHRASE)

    assert "Restoring the replicas failed: it answered HTTP 422" in scratch.console.read
    assert scratch.changes["redeploy"] == 1
    assert scratch.is_as_before


async def test_prove_says_what_it_could_not_restore(scratch: Scratch) -> None:
    def planted(document: str, data: Data | None) -> Data | None:
        if data is None and scratch.changes["commitPatch"] > 1 and "mutation commitPatch" in document:
            object.__setattr__(scratch.waits, "built", 0.2)
            raise HTTPException(422)
        return None

    scratch.planted = planted

    answer = await scratch.run(PHRASE)

    posted = wrong(answer)["railway.restored"]
    assert "in Railway, restore c45e17a9 with 1 replica" in posted
    assert "restoring the replicas failed: it answered HTTP 422" in posted
    assert scratch.changes["commitPatch"] == 3


async def test_prove_does_not_say_that_it_is_restored_while_railway_can_not_be_read(scratch: Scratch) -> None:
    def planted(document: str, _: Data | None) -> Data | None:
        if scratch.changes["stop("] and "mutation" not in document:
            scratch.met()
            object.__setattr__(scratch.waits, "built", 0.2)
            raise HTTPException(503)
        return None

    scratch.planted = planted

    answer = await scratch.run(PHRASE)

    assert set(wrong(answer)) == {"railway.stop", "railway.restored"}
    assert answer.status is Status.UNKNOWN


async def test_prove_restores_what_a_late_change_of_unknown_outcome_did(scratch: Scratch) -> None:
    """The answer to the stop is lost, and Railway stops the service a few reads later."""
    reads = Counter[str]()

    def planted(document: str, data: Data | None) -> Data | None:
        if data is None and "mutation stop(" in document:
            return {"deploymentStop": None}
        if data is None and scratch.changes["stop("] and "readServices" in document:
            reads["after"] += 1
            if reads["after"] == 3:
                scratch.railway.stop_service(SERVICE)
        return None

    scratch.planted = planted

    answer = await scratch.run(PHRASE)

    assert set(wrong(answer)) == {"railway.stop"}
    assert scratch.changes["redeploy"] == 1
    assert scratch.is_as_before


async def test_prove_names_what_slack_refuses_and_removes_its_message(scratch: Scratch) -> None:
    scratch.workspace.faults.plant("chat.update", FaultKind.REFUSED, code="cant_update_message")

    answer = await scratch.run(PHRASE)

    assert "cant_update_message" in wrong(answer)["slack.refused"]
    assert scratch.workspace.messages.in_channel(INCIDENTS_ID) == []


async def test_prove_removes_a_message_whose_answer_was_lost(scratch: Scratch) -> None:
    scratch.workspace.faults.plant("chat.postMessage", FaultKind.LOST_ANSWER)

    answer = await scratch.run(PHRASE)

    assert set(wrong(answer)) == {"slack.unknown"}
    assert scratch.workspace.messages.in_channel(INCIDENTS_ID) == []
    scratch.workspace.faults.plant("chat.postMessage", FaultKind.LOST_ANSWER)
    scratch.workspace.faults.plant("conversations.history", FaultKind.REFUSED, code="missing_scope")
    assert "delete it there" in wrong(await scratch.run(PHRASE))["slack.removed"]


REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"ENVIRONMENT": "prod", "SUPABASE_MODE": "prod"}, "ENVIRONMENT is prod"),
    ({"ENVIRONMENT": ""}, "ENVIRONMENT is not set"),
    ({"environment": "production"}, "production means production"),
    ({"environment": "Prod-EU"}, "Prod-EU means production"),
    ({"environment": "playground"}, "but you named playground"),
    ({"project": "another"}, "another project, not another"),
    ({"RAILWAY_ENVIRONMENT_ID": "another"}, "reaches another environment"),
    ({"RAILWAY_TOKEN": "", "RAILWAY_API_TOKEN": "t"}, "only a project token"),
    ({"RAILWAY_TOKEN": "wrong"}, "what the token reaches is unknown"),
)


async def test_prove_changes_nothing_unless_scratch_is_named_and_reached(scratch: Scratch) -> None:
    for more, why in REFUSED:
        with pytest.raises(OperatorError, match=why):
            await scratch.run(PHRASE, more=more)
    for typed in ((), ("y",), ("prove scratch-web",), (PHRASE.upper(),)):
        with pytest.raises(OperatorError, match="the phrase"):
            await scratch.run(*typed)

    assert not scratch.changes


async def test_prove_changes_nothing_where_railway_itself_calls_it_production(scratch: Scratch) -> None:
    scratch.planted = lambda document, data: (
        {"environment": {"name": "production"}} if data and "readEnvironmentName" in document else None
    )

    with pytest.raises(OperatorError, match="Railway calls the environment production"):
        await scratch.run(PHRASE)

    assert not scratch.changes


async def test_prove_dry_run_shows_the_plan_and_changes_nothing(scratch: Scratch) -> None:
    answer = await scratch.run(dry_run=True)

    assert not scratch.changes
    shown = "\n".join(scratch.console.read)
    assert "deploy c45e17a9 to scratch-web again" in shown
    assert "from 1 to 2 and back" in shown
    assert answer.status is Status.OK


@pytest.mark.parametrize(
    "line",
    ["", "web", "web --project p", "web --environment e", "web --project p --environment e twice", "web --force"],
)
def test_prove_names_what_is_missing_of_its_line(line: str) -> None:
    with pytest.raises(UsageError):
        read_options(line.split())


def test_prove_reads_its_line() -> None:
    options = read_options(["web", "--project", "p", "--environment", "e", "--file", "scratch.env", "--dry-run"])

    assert (options.service, options.project, options.environment) == ("web", "p", "e")
    assert (options.file, options.dry_run, options.phrase) == (Path("scratch.env"), True, "prove web in e")
