"""*Show the whole line*: for operators and approvers, for a limited time, recorded in the audit log."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest

from bot.admission import AuditLimit
from bot.approvals.access import Refused
from bot.approvals.service import ApprovalService
from bot.audit_floods import AuditFloods
from bot.commands.dispatch import run
from bot.commands.reveal import VALID_S
from bot.commands.sensitive import READ
from bot.config.environment import Settings
from bot.types import Actor, Answer, Request, Surface
from bot.views.terminal import answer_text
from bot.world import World
from services.clients.postgres.audit import list_audit
from services.clients.postgres.pool import Database
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.people import Person
from services.domain.secrets import Secret
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import ANN, OLIVIA, OTTO, Books

LINE = "gizmo 7: Plaintiff Maria Kowalski owes $1,204.50 with sk-live-4f9a8b7c6d5e"
AT = "2025-12-20T10:30:00Z"
NOWHERE = Secret("postgresql://bot:made-up@127.0.0.1:1/db")  # refuses every connection


def answer_railway(request: httpx.Request) -> httpx.Response:
    document = json.loads(request.content)["query"]
    deployment = {"id": "d-1", "status": "SUCCESS", "createdAt": AT, "meta": {}, "instances": []}
    instance = {"serviceId": "s", "serviceName": "dragonfly-worker-ingest", "activeDeployments": [deployment],
                "latestDeployment": deployment, "numReplicas": 1}  # fmt: skip
    if "readLogs" in document:
        lines = [{"timestamp": AT, "severity": "info", "message": message} for message in ("fine", LINE)]
        return httpx.Response(200, json={"data": {"deploymentLogs": lines}})
    if "listDeployments" in document:
        return httpx.Response(200, json={"data": {"deployments": {"edges": [{"node": deployment}]}}})
    edges = [{"node": instance}]
    return httpx.Response(
        200, json={"data": {"environment": {"name": "x", "config": None, "serviceInstances": {"edges": edges}}}}
    )


def settings(**more: str) -> Settings:
    environ = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}
    return Settings.from_environment(environ | more)


def make_world(dsn: str, **more: str) -> World:
    return World(
        settings(**more),
        database=Database.connect_lazily(Secret(dsn), application_name="test", timeout_s=60.0),
        railway=RailwayClient(
            url="http://railway.test/graphql",
            token=Secret("t"),
            token_kind=TokenKind.PROJECT,
            project_id="p",
            environment_id="e",
            transport=httpx.MockTransport(answer_railway),
        ),
    )


@pytest.fixture
async def world(database_urls: DatabaseUrls) -> AsyncIterator[World]:
    world = make_world(database_urls.bot)
    yield world
    await world.close()


def by(actor: Actor | None) -> Request:
    return Request((), Surface.BUTTON if actor else Surface.TERMINAL, actor, model.INCIDENTS_ID)


def reveal_lines(answer: Answer) -> list[str]:
    """Return the `reveal` commands of the answer's buttons."""
    elements = [one for block in answer.blocks if block["type"] == "actions" for one in block["elements"]]
    values = [option.get("value", "") for one in elements for option in one.get("options", [one])]
    return [value for value in values if str(value).startswith("reveal ")]


async def the_button(world: World, approval_service: ApprovalService) -> str:
    [line] = reveal_lines(await run("logs ingest", by(OLIVIA), world, approval_service))
    return line


async def details(books: Books) -> list[tuple[str, str, object]]:
    return [(row.event, row.actor, row.details) for row in await list_audit(books.conn, limit=10)]


@pytest.mark.parametrize("actor", [OLIVIA, ANN])
async def test_an_operator_and_an_approver_see_the_line_and_it_is_written_down(
    world: World, approval_service: ApprovalService, books: Books, actor: Actor
) -> None:
    line = await the_button(world, approval_service)

    answer = await run(line, by(actor), world, approval_service)

    assert answer.private
    shown = answer_text(answer)
    assert "Plaintiff Maria Kowalski owes $1,204.50" in shown
    assert "4f9a8b7c" not in shown
    [(event, who, about)] = await details(books)
    assert (event, who) == ("line.revealed", actor.user_id)
    _, _, service, deployment, key, _ = line.split()
    assert service == "ingest"
    expected = {"source": "log", "service": "dragonfly-worker-ingest", "id": deployment, "line": key}
    assert about == {**expected, "team": model.TEAM.id}


@pytest.mark.parametrize("actor", [OTTO, Actor(OLIVIA.user_id, "T0ELSEWHERE")])
async def test_reveal_is_refused_without_permission_and_audited(
    world: World, approval_service: ApprovalService, books: Books, actor: Actor
) -> None:
    line = await the_button(world, approval_service)

    with pytest.raises(OperatorError, match="Nothing was shown"):
        await run(line, by(actor), world, approval_service)

    [(event, who, _)] = await details(books)
    assert (event, who) == ("line.reveal.refused", actor.user_id)


async def test_raw_lines_in_slack_are_refused_and_who_asks_again_and_stops_is_counted(
    world: World, approval_service: ApprovalService, books: Books
) -> None:
    assert world.database is not None
    for _ in range(4):
        with pytest.raises(UsageError, match="Nothing was done"):
            await run("logs ingest --raw", by(OTTO), world, approval_service)
    [(event, who, about)] = await details(books)
    assert (event, who) == ("raw.refused", OTTO.user_id)
    assert isinstance(about, dict)
    assert (about["command"], about["words"]) == ("logs", "ingest --raw")

    floods = AuditFloods(world.database, world.audit_limit)
    await floods.write()
    assert len(await details(books)) == 1
    await floods.write(at_once=True)
    await floods.write(at_once=True)

    event, who, about = (await details(books))[0]
    held_back = {"times": 3, "acts": "raw.refused logs ingest --raw 3"}
    assert (event, who, about) == ("audit.held_back", OTTO.user_id, held_back)
    assert len(await details(books)) == 2


async def test_held_back_rows_wait_for_a_database_that_is_away() -> None:
    away, limit = Database.connect_lazily(NOWHERE, application_name="test", timeout_s=5.0), AuditLimit(time.monotonic)
    limit.count("U1", "silence")
    limit.count("U1", "silence")
    try:
        await AuditFloods(away, limit).write(at_once=True)
    finally:
        await away.close()

    assert limit.take_held_back(most=1) == {"U1": {"silence": 1}}


async def test_empty_lists_let_no_one_see_it(
    database_urls: DatabaseUrls, approval_service: ApprovalService, world: World
) -> None:
    line = await the_button(world, approval_service)
    closed = make_world(database_urls.bot, DRAGONFLY_OPERATORS="", DRAGONFLY_APPROVERS="")
    try:
        with pytest.raises(OperatorError, match="No one is"):
            await run(line, by(OLIVIA), closed, approval_service)
    finally:
        await closed.close()


async def test_an_old_button_shows_nothing(world: World, approval_service: ApprovalService, books: Books) -> None:
    *words, _ = (await the_button(world, approval_service)).split()

    with pytest.raises(OperatorError, match="expired"):
        await run(" ".join([*words, str(int(time.time()) - 1)]), by(OLIVIA), world, approval_service)

    assert await details(books) == []


@pytest.mark.parametrize("seconds", [VALID_S + 120, 10**9])
async def test_a_typed_time_that_no_button_carries_shows_nothing(
    world: World, approval_service: ApprovalService, books: Books, seconds: int
) -> None:
    *words, _ = (await the_button(world, approval_service)).split()

    with pytest.raises(OperatorError, match="no button"):
        await run(" ".join([*words, str(int(time.time()) + seconds)]), by(OLIVIA), world, approval_service)

    assert await details(books) == []


async def test_without_its_audit_row_nothing_is_shown(world: World, approval_service: ApprovalService) -> None:
    line = await the_button(world, approval_service)
    nowhere = make_world("postgresql://nobody@127.0.0.1:1/x")
    try:
        with pytest.raises(SourceError, match="database"):
            await run(line, by(OLIVIA), nowhere, approval_service)
    finally:
        await nowhere.close()


async def test_a_log_line_that_is_gone_is_reported_as_gone(world: World, approval_service: ApprovalService) -> None:
    *words, key, until = (await the_button(world, approval_service)).split()

    with pytest.raises(OperatorError, match="any more"):
        await run(" ".join([*words, key[::-1], until]), by(OLIVIA), world, approval_service)


@pytest.mark.parametrize("words", ["log ingest d-1 x y", "job x 1", "log", "anything else", "job " + "a" * 36 + " 1"])
async def test_words_that_no_button_carries_are_refused(
    world: World, approval_service: ApprovalService, words: str
) -> None:
    with pytest.raises(UsageError):
        await run(f"reveal {words}", by(OLIVIA), world, approval_service)


async def test_the_error_of_a_failed_job_is_shown_whole(
    world: World, approval_service: ApprovalService, books: Books, database_urls: DatabaseUrls
) -> None:
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO ops.job_queue (job_type, status, error_message) VALUES ('simplicity_ingest', 'failed', %s)",
            ['ValueError: no county "Kowalski"\nDETAIL: more'],
        )
    answer = await run("failed-jobs", by(OLIVIA), world, approval_service)
    [line] = reveal_lines(answer)
    assert "Kowalski" not in answer_text(answer)

    shown = answer_text(await run(line, by(ANN), world, approval_service))

    assert 'no county "Kowalski"' in shown
    assert "DETAIL: more" in shown
    [(event, _, about)] = await details(books)
    assert (event, about) == (
        "line.revealed",
        {"source": "job", "id": line.split()[2], "line": "", "team": model.TEAM.id},
    )


@pytest.mark.parametrize(("mode", "shows_gizmo"), [("balanced", True), ("strict", False), ("nonsense", False)])
async def test_log_privacy_reports_how_much_the_requester_sees(
    database_urls: DatabaseUrls, approval_service: ApprovalService, mode: str, shows_gizmo: bool
) -> None:
    world = make_world(database_urls.bot, LOG_PRIVACY=mode)
    try:
        shown = answer_text(await run("logs ingest", by(OLIVIA), world, approval_service))
    finally:
        await world.close()

    assert ("gizmo 7" in shown) is shows_gizmo
    assert "Kowalski" not in shown
    assert "1,204" not in shown


@pytest.mark.parametrize("line", ["logs ingest --raw", "failed-jobs --raw"])
async def test_raw_on_the_terminal_is_written_down(world: World, books: Books, line: str) -> None:
    await run(line, by(None), world)

    [(event, who, about)] = await details(books)
    assert (event, who) == ("raw.shown", "terminal")
    assert isinstance(about, dict)
    assert about["command"] == line.split()[0]
    assert about["login"]


async def test_raw_without_the_database_reports_that_it_was_not_written_down() -> None:
    nowhere = make_world("postgresql://nobody@127.0.0.1:1/x")
    try:
        shown = answer_text(await run("logs ingest --raw", by(None), nowhere))
    finally:
        await nowhere.close()

    assert "Maria Kowalski" in shown
    assert "not recorded in the audit log" in shown


async def test_a_sensitive_read_is_one_audit_row_per_person_line_and_minute_before_anything_is_read(
    world: World, books: Books
) -> None:
    """The row is written whatever the answer is; repeated requests add none, and hide no other person's."""
    for _ in range(3):
        await run("env ingest", by(OLIVIA), world)
    await run("env api", by(OLIVIA), world)
    await run("env", by(OTTO), world)
    with pytest.raises(UsageError):
        await run("audit everything", by(OLIVIA), world)
    listed = await run("audit", by(OLIVIA), world)
    await run("queue", by(OLIVIA), world)
    await run("security-audit", by(None), world)

    rows = [(who, about["command"], about["words"]) for event, who, about in await details(books) if event == READ]  # type: ignore[index]
    assert rows[::-1] == [
        (OLIVIA.user_id, "env", "ingest"),
        (OLIVIA.user_id, "env", "api"),
        (OTTO.user_id, "env", ""),
        (OLIVIA.user_id, "audit", "everything"),
        (OLIVIA.user_id, "audit", ""),
        ("terminal", "security-audit", ""),
    ]
    assert "read.sensitive" in answer_text(listed)


async def test_a_sensitive_read_that_can_not_be_recorded_is_shown_and_says_so() -> None:
    nowhere = make_world("postgresql://nobody@127.0.0.1:1/x")
    try:
        for _ in range(2):
            answer = await run("env ingest", by(OLIVIA), nowhere)
            assert "This was not recorded in the audit log: " in answer_text(answer)
    finally:
        await nowhere.close()


async def test_reads_and_refusals_whose_rows_failed_are_counted_in_the_next_row(
    world: World, approval_service: ApprovalService, books: Books, database_urls: DatabaseUrls
) -> None:
    person, refused = Person(OLIVIA.user_id, OLIVIA.team_id), Refused("made up", "`help`")
    append = "EXECUTE ON FUNCTION chatops.append_audit(text, text, bigint, jsonb)"

    async def attempt() -> str:
        await approval_service.record_refusal(person, "deploy", {}, refused)
        return answer_text(await run("env ingest", by(OLIVIA), world))

    with contextlib.closing(psycopg.connect(database_urls.superuser, autocommit=True)) as db:
        db.execute(f"REVOKE {append} FROM dragonfly_bot")
        for _ in range(3):
            assert "not recorded in the audit log" in await attempt()
        db.execute(f"GRANT {append} TO dragonfly_bot")
    assert "not recorded" not in await attempt()

    counted = {event: about["times"] for event, _, about in await details(books)}  # type: ignore[index]
    assert counted == {READ: 4, "run.file.refused": 4}
