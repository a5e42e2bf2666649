"""The approval service without its database: permission checks still refuse, and what was done is recorded later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from bot.approvals.service import ApprovalService
from bot.config.behavior import PeopleSettings
from bot.config.policy_file import read_policy
from bot.runs.message import RunMessageWriter
from bot.slack_directory import Groups
from playbooks.model import Risk
from services.clients.postgres.pool import Database
from services.clients.slack import SlackClient
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret
from services.domain.services import Service
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import OLIVIA, OTTO, RULES, Books, MakePlan, request, say
from tests.outside import QUIET_S


class Way:
    """A TCP forwarder to the database that passes nothing on until it is open."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._target = urlsplit(dsn)
        self.is_open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.dsn = ""
        self.connections = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Way]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.dsn = self._dsn.replace(f":{self._target.port}/", f":{port}/")
        yield self
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self.is_open.wait()
            far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
            try:
                await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def way(database_urls: DatabaseUrls) -> AsyncIterator[Way]:
    async with Way(database_urls.bot).listening() as way:
        yield way


@pytest.fixture
async def make_approval_service_behind(way: Way, slack: SlackClient) -> AsyncIterator[Callable[..., ApprovalService]]:
    """`make(rules=…)`: an approval service that reaches its database through the forwarder."""
    database = Database.connect_lazily(Secret(way.dsn), application_name="desk")
    groups = Groups(slack, (model.OPERATORS.id, model.APPROVERS.id), workspace=lambda: model.TEAM.id, timeout_s=30.0)
    desks = []

    def make(*, expires_after_s: float = 900, rules: str = RULES) -> ApprovalService:
        people = PeopleSettings(operators=(model.OPERATORS.id,), approvers=(model.APPROVERS.id,))
        policy = read_policy(rules.replace("{expires_after_s}", str(expires_after_s)).encode(), "policy.toml", people)
        desks.append(
            ApprovalService(database, policy, groups, RunMessageWriter(say), channel=model.INCIDENTS_ID, late_s=0.1)
        )
        return desks[-1]

    yield make
    for approval_service in desks:
        await approval_service.aclose()
    await groups.aclose()
    await database.close()


async def events(books: Books, *, count: int) -> list[str]:
    """Return the audit log's events, once there are so many."""
    async with asyncio.timeout(60):
        while len(found := await books.events()) < count:
            await asyncio.sleep(0.05)
    return found


async def test_emergency_stop_waits_two_seconds_for_the_database_and_not_longer(
    make_approval_service_behind: Callable[..., ApprovalService], make_plan: MakePlan
) -> None:
    plan = make_plan(Risk.BREAK_GLASS, playbook="stop-workers")

    async with asyncio.timeout(9):
        with pytest.raises(SourceError, match="database"):
            await make_approval_service_behind().file(plan, request(OLIVIA))


STOP_IN_SEV1 = '[[allow]]\nmay = "request"\nwho = ["operators"]\nverbs = ["stop-workers"]\nseverity = ["sev1"]\n'
SCALE_IN_SEV1 = STOP_IN_SEV1.replace("stop-workers", "scale")
NO_STOP = '[[deny]]\nmay = "request"\nwho = ["*"]\nverbs = ["stop-workers"]\nseverity = ["sev3"]\n'


async def test_emergency_stop_waits_for_the_open_incidents_only_if_its_right_depends_on_them(
    make_approval_service_behind: Callable[..., ApprovalService], way: Way
) -> None:
    for more in (SCALE_IN_SEV1, STOP_IN_SEV1):
        service = make_approval_service_behind(rules=RULES + more)
        await service.refuse_early("stop-workers", [Service.INGEST], "dev", request(OLIVIA))
    assert way.connections == 0

    with pytest.raises(OperatorError, match="does not allow you to request"):
        await make_approval_service_behind(rules=RULES + NO_STOP).refuse_early(
            "stop-workers", [Service.INGEST], "dev", request(OLIVIA)
        )
    assert way.connections > 0


async def test_outsider_is_refused_all_the_same(
    make_approval_service_behind: Callable[..., ApprovalService], make_plan: MakePlan
) -> None:
    with pytest.raises(OperatorError, match="don't have permission"):
        await make_approval_service_behind().file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OTTO))


async def test_stop_without_database_is_filed_once_the_database_is_back(
    make_approval_service_behind: Callable[..., ApprovalService], make_plan: MakePlan, way: Way, books: Books
) -> None:
    plan = make_plan(Risk.BREAK_GLASS, playbook="stop-workers")

    make_approval_service_behind().file_later(plan, request(OLIVIA), reason="wrong amounts")
    await asyncio.sleep(QUIET_S)
    way.is_open.set()

    assert await events(books, count=1) == ["run.filed"]


async def test_expired_stop_without_database_is_audited_and_not_repeated(
    make_approval_service_behind: Callable[..., ApprovalService], make_plan: MakePlan, way: Way, books: Books
) -> None:
    """The workers may have been started again in Railway's dashboard."""
    plan = make_plan(Risk.BREAK_GLASS, playbook="stop-workers")

    make_approval_service_behind(expires_after_s=1).file_later(plan, request(OLIVIA), reason="wrong amounts")
    await asyncio.sleep(2.8)  # the first try has given up by then
    way.is_open.set()

    assert await events(books, count=1) == ["run.done_without_journal"]
    assert await (await books.conn.execute("SELECT count(*) FROM chatops.runs")).fetchone() == (0,)
