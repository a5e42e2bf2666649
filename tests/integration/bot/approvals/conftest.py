"""Approval services over a real database and the local Slack, one per replica."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI

from bot.approvals.approver_pages import ApproverPaging
from bot.approvals.service import ApprovalService
from bot.config.behavior import PeopleSettings
from bot.config.policy import Policy
from bot.config.policy_file import read_policy
from bot.runs.message import RunMessageWriter
from bot.slack_directory import Groups
from bot.types import Actor, Request, Surface
from bot.views.run import run_message
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import RestartDeployment, Step
from services.clients.postgres import runs
from services.clients.postgres.audit import list_audit
from services.clients.postgres.pool import Database
from services.clients.postgres.systems import read_system
from services.clients.slack import SlackClient
from services.domain.runs import Record, Run
from services.domain.secrets import Secret
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.workspace import Workspace
from tests.conftest import DatabaseUrls
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

TEAM = model.TEAM.id
PAST_EXPIRY_S = 1.05  # for a request that expires after 1 s, the shortest possible time
OLIVIA, ANN, BEN, OTTO = (Actor(user.id, TEAM) for user in model.PEOPLE)

RULES = """version = 1
expires_after_s = {expires_after_s}
[[allow]]
may = "request"
who = ["operators"]
[[allow]]
may = "approve"
who = ["approvers"]
"""

MakeApprovalService = Callable[..., ApprovalService]
MakePlan = Callable[..., Plan]


def request(actor: Actor | None) -> Request:
    """A request typed in Slack by `actor`; with None, typed on the terminal."""
    return Request((), Surface.SLASH if actor else Surface.TERMINAL, actor, model.INCIDENTS_ID)


def say(record: Record, audit_head: str | None) -> tuple[str, Sequence[dict[str, Any]]]:
    return run_message(record, audit_head=audit_head)


@pytest.fixture
def make_plan() -> MakePlan:
    """`make_plan(risk=…)`: a plan for the API; its effect does not matter here."""

    def make(risk: Risk = Risk.HIGH, *, playbook: str = "rollback", deployment: str = "d1") -> Plan:
        steps: tuple[Step, ...] = (RestartDeployment(Service.API, deployment),)
        return Plan("dev", playbook, {"service": "api"}, steps, risk, f"{playbook} api", undo="restart api")

    return make


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    """The local Slack, listening. Its groups are the demo's: Ann and Ben approve, Olivia is an operator."""
    workspace = Workspace()
    await workspace.start()
    app = FastAPI()
    app.include_router(build_slack_router(workspace))
    async with serve(app) as url:
        workspace.base_url = url
        yield workspace
        await workspace.close()


@pytest.fixture
async def slack(workspace: Workspace) -> AsyncIterator[SlackClient]:
    client = SlackClient(Secret("xoxb-local"), api_url=f"{workspace.base_url}/slack/api/")
    yield client
    await client.aclose()


@pytest.fixture
async def make_approval_service(database_urls: DatabaseUrls, slack: SlackClient) -> AsyncIterator[MakeApprovalService]:
    """`make_approval_service(operators=…, approvers=…)`: one more replica's approval service. It asks Slack at every
    decision."""
    databases, asking = [], []

    def make(
        *,
        operators: Sequence[str] = (model.OPERATORS.id,),
        approvers: Sequence[str] = (model.APPROVERS.id,),
        expires_after_s: float = 900,
        rules: str = RULES,
        dsn: str | None = None,
        approver_paging: ApproverPaging | None = None,
        most_requests: int = 100_000,
        make_message: Callable[..., tuple[str, Sequence[dict[str, Any]]]] = say,
    ) -> ApprovalService:
        database = Database.connect_lazily(
            Secret(dsn or database_urls.bot), application_name="desk", timeout_s=60.0, recognize=read_system
        )
        people = PeopleSettings(operators=tuple(operators), approvers=tuple(approvers))
        policy = read_policy(rules.replace("{expires_after_s}", str(expires_after_s)).encode(), "policy.toml", people)
        named = policy.groups if isinstance(policy, Policy) else ()
        groups = Groups(slack, named, workspace=lambda: TEAM, fresh_s=0, timeout_s=30.0)
        databases.append(database)
        asking.append(groups)
        writer = RunMessageWriter(lambda record, head: make_message(record, audit_head=head))
        return ApprovalService(
            database,
            policy,
            groups,
            writer,
            channel=model.INCIDENTS_ID,
            approver_paging=approver_paging,
            most_requests=most_requests,
        )

    yield make
    for groups in asking:
        await groups.aclose()
    for database in databases:
        await database.close()


@pytest.fixture
def approval_service(make_approval_service: MakeApprovalService) -> ApprovalService:
    return make_approval_service()


class Books:
    """Reads the bot's tables as the bot's role."""

    def __init__(self, conn: psycopg.AsyncConnection[Any]) -> None:
        self.conn = conn

    async def run(self, run_id: int) -> Run:
        run = await runs.read_run(self.conn, run_id)
        assert run is not None
        return run

    async def events(self, run_id: int | None = None) -> list[str]:
        """Return the audit log's events, oldest first."""
        return [row.event for row in reversed(await list_audit(self.conn, limit=10_000, run_id=run_id))]

    async def message(self, run_id: int) -> str:
        """Return the text of the run's message in the outbox."""
        cur = await self.conn.execute("SELECT text FROM chatops.outbox WHERE key = %s", [f"run:{run_id}"])
        row = await cur.fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture
def books(as_bot: psycopg.AsyncConnection[Any]) -> Books:
    return Books(as_bot)
