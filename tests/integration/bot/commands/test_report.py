"""`report` equals golden SQL over a planted history, to the last digit, and reads only its window."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from bot.commands.dispatch import run
from bot.config.behavior import WeeklyTime
from bot.leader import Fence
from bot.reports import ASKED_AT_ONCE, EVERY_S, LATE_AT_MOST, CommitTimes, WeeklyReport, last_time
from bot.types import Request
from bot.views.terminal import answer_text
from bot.wake_ups import WakeUps
from bot.world import World
from services.clients.postgres import leases
from services.clients.postgres.leases import LEADER
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import SQL
from services.domain.errors import SourceError, UsageError
from services.domain.secrets import Secret
from services.sandbox.slack.limits import violations
from tests.conftest import DatabaseUrls
from tests.github import LocalGitHub
from tests.integration.sql.test_indexes import explain, scanned_whole

HERE = Path(__file__).parent
LINES = ["report", "report 30d", "report 90d", "report 90d ingest", "report api 7d"]


@pytest.fixture
async def quarter(database_urls: DatabaseUrls) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection as superuser: only a superuser can skip triggers."""
    async with await psycopg.AsyncConnection.connect(database_urls.superuser, autocommit=True) as conn:
        await conn.execute((HERE / "quarter.sql").read_text().encode())
        yield conn


async def golden(conn: psycopg.AsyncConnection[Any], data: dict[str, Any]) -> dict[str, Any]:
    row = await (await conn.execute("SELECT base FROM public.planted")).fetchone()
    assert row is not None
    values = {name: data[name] for name in ("since", "until", "service")} | {"base": row[0], "zone": "UTC"}
    found = await (await conn.execute((HERE / "quarter_golden.sql").read_text().encode(), values)).fetchone()
    assert found is not None
    return dict(found[0])


@pytest.mark.timeout(300)
async def test_report_equals_golden_sql_to_the_last_digit(quarter: psycopg.AsyncConnection[Any], world: World) -> None:
    for line in LINES:
        answer = await run(line, Request(), world)
        data: dict[str, Any] = answer.data  # type: ignore[assignment]
        wanted = await golden(quarter, data)

        assert data["incidents"] == wanted["incidents"], line
        assert [[one["begins_at"].hour == 20, one["pages"]] for one in data["shifts"]] == wanted["shifts"], line
        assert {one["rule"]: [one["alerts"], one["acted"]] for one in data["rules"]} == wanted["rules"], line
        assert {one["reason"]: one["times"] for one in data["held_back"]} == wanted["held_back"], line
        assert data["approvals"] == wanted["approvals"], line
        assert data["deployments"] == wanted["deployments"], line
        assert data["night_pages"] == sum(pages for is_night, pages in wanted["shifts"] if is_night), line
        assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")
        assert json.loads(json.dumps(data, default=str))["lead_time_s"] > 3600


async def test_report_reads_its_window_only_however_much_history_there_is(
    quarter: psycopg.AsyncConnection[Any],
) -> None:
    until = datetime.now(UTC)
    values: dict[str, object] = {"since": until - timedelta(days=7), "until": until, "zone": "UTC"}
    values |= {"environment": "prod", "service": None}

    for name in [name for name in SQL if name.startswith("report_")]:
        plan = await explain(quarter, SQL[name], values)
        assert scanned_whole(plan) == [], name


async def test_records_begin_with_the_first_incident_where_it_is_older_than_the_installation(
    quarter: psycopg.AsyncConnection[Any], world: World
) -> None:
    """A database that was installed again: the pages of a week are not divided by the shifts of one day."""
    await quarter.execute("UPDATE chatops.installation SET created_at = now() - interval '1 hour'")

    answer = await run("report 7d", Request(), world)

    data: dict[str, Any] = answer.data  # type: ignore[assignment]
    assert "Incomplete" not in answer_text(answer)
    assert data["shifts_in_window"] == 14


@pytest.mark.usefixtures("quarter")
async def test_times_of_commits_are_asked_for_once_the_newest_first(
    database_urls: DatabaseUrls, as_bot: Connection
) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=LEADER, owner="test", duration=timedelta(hours=1))
    assert epoch is not None
    github = LocalGitHub(commits={f"{4:040x}": "2026-11-01T12:00:00Z"})
    task = CommitTimes(database, github.client())
    assert task.retry_s == task.interval_s == EVERY_S

    await task.tick(Fence("test", epoch))

    asked = [one.url.path[-40:] for one in github.calls if "/git/" in one.url.path]
    assert asked == [f"{n * 4:040x}" for n in range(1, ASKED_AT_ONCE + 1)]  # the others are known
    found = await as_bot.execute("SELECT sha, committed_at FROM chatops.commits WHERE sha = ANY (%s)", (asked,))
    times = dict(await found.fetchall())
    assert times.pop(f"{4:040x}") == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert set(times.values()) == {None}
    await task.tick(Fence("test", epoch))
    assert f"{4:040x}" not in [one.url.path[-40:] for one in github.calls[len(asked) * 2 :]]
    await database.close()


SHAS = [f"{n:040x}" for n in (1, 2, 3)]  # newest first


@pytest.fixture
async def asks(
    database_urls: DatabaseUrls, as_bot: Connection
) -> AsyncIterator[Callable[[LocalGitHub], Awaitable[list[str]]]]:
    """`await asks(github)`: the commits, of three deployed ones, that one tick asks GitHub for."""
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=LEADER, owner="test", duration=timedelta(hours=1))
    assert epoch is not None
    for sha in reversed(SHAS):
        await as_bot.execute("INSERT INTO chatops.rollouts (commit_sha) VALUES (%s)", (sha,))

    async def tick(github: LocalGitHub) -> list[str]:
        before = len(github.calls)
        with contextlib.suppress(SourceError):
            await CommitTimes(database, github.client()).tick(Fence("test", epoch))
        return [one.url.path[-40:] for one in github.calls[before:] if "/git/" in one.url.path]

    yield tick
    await database.close()


async def timed(conn: Connection) -> list[str]:
    cursor = await conn.execute("SELECT sha FROM chatops.commits WHERE committed_at IS NOT NULL ORDER BY sha")
    return [sha for (sha,) in await cursor.fetchall()]


async def test_commit_that_cannot_be_read_keeps_no_other_from_being_read(
    asks: Callable[[LocalGitHub], Awaitable[list[str]]], as_bot: Connection
) -> None:
    date = "2026-11-01T12:00:00Z"
    for status in (401, 403, 429):
        assert await asks(LocalGitHub(commits=dict.fromkeys(SHAS, status))) == SHAS[:1], status
    assert await asks(LocalGitHub(is_readable=False)) == SHAS[:1]
    assert await timed(as_bot) == []

    assert await asks(LocalGitHub(commits={SHAS[0]: 500, SHAS[1]: date, SHAS[2]: date})) == SHAS
    assert await timed(as_bot) == SHAS[1:]
    assert await asks(LocalGitHub(commits={SHAS[0]: date})) == SHAS[:1]


async def test_commit_that_github_does_not_know_is_asked_for_again_after_a_day(
    asks: Callable[[LocalGitHub], Awaitable[list[str]]], as_bot: Connection, database_urls: DatabaseUrls
) -> None:
    """GITHUB_REPO was wrong and has been corrected."""
    right = LocalGitHub(commits={SHAS[0]: "2026-11-01T12:00:00Z", SHAS[1]: "2026-11-01T12:00:00Z"})
    assert await asks(LocalGitHub()) == SHAS

    async with await psycopg.AsyncConnection.connect(database_urls.owner, autocommit=True) as owner:
        await owner.execute("UPDATE chatops.commits SET read_at = now() - interval '23 hours 50 minutes'")
        assert await asks(right) == []
        await owner.execute("UPDATE chatops.commits SET read_at = now() - interval '24 hours 10 minutes'")
        assert await asks(right) == SHAS
        assert await asks(right) == []
        await owner.execute("UPDATE chatops.commits SET read_at = now() - interval '24 hours 10 minutes'")
        assert await asks(right) == SHAS[2:]

    assert await timed(as_bot) == SHAS[:2]


INSTALLED = "INSERT INTO chatops.installation (environment, created_at) VALUES ('prod', now() - %s)"


async def test_report_says_that_nothing_happened(world: World, as_owner: Connection) -> None:
    await as_owner.execute(INSTALLED, [timedelta(days=8)])

    answer = await run("report", Request(), world)

    assert "Incidents: none" in answer_text(answer)
    assert "Deployments: 0 (0.00 per day) · failed: unknown · restored after: unknown" in answer_text(answer)
    assert "Incomplete" not in answer_text(answer)


async def test_report_says_from_when_on_there_are_records(world: World, as_owner: Connection) -> None:
    unknown = await run("report", Request(), world)
    await as_owner.execute(INSTALLED, [timedelta(hours=23)])
    first_day = await run("report", Request(), world)
    await as_owner.execute("UPDATE chatops.installation SET created_at = now() - interval '6 days'")
    week, month = [await run(line, Request(), world) for line in ("report", "report 30d")]

    assert "when recording started is unknown" in unknown.text
    assert "Incomplete: records since" in answer_text(first_day)
    assert "Deployments: 0 (per day: unknown)" in answer_text(first_day)
    data: dict[str, Any] = first_day.data  # type: ignore[assignment]
    assert data["deployments_per_day"] is None
    for answer in (week, month):
        data = answer.data  # type: ignore[assignment]
        assert "Incomplete: records since" in answer_text(answer)
        assert data["shifts_in_window"] == 12  # only those of the recorded days
    assert not violations({"text": month.text, "blocks": list(month.blocks)}, surface="message")


@pytest.mark.parametrize("line", ["report 91d", "report nothing", "report api ingest", "report 7d 30d"])
async def test_report_refuses_what_it_does_not_understand(world: World, line: str) -> None:
    with pytest.raises(UsageError):
        await run(line, Request(), world)


async def test_report_is_unknown_without_the_database(make_world: Callable[..., World]) -> None:
    answer = await run("report", Request(), make_world(None))

    assert answer.status.value == "unknown"


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-30T08:59:59", "2026-11-23T09:00:00"),  # a Monday, in Berlin's time zone
        ("2026-11-30T09:00:00", "2026-11-30T09:00:00"),
        ("2026-12-06T23:00:00", "2026-11-30T09:00:00"),
    ],
)
def test_weekly_report_is_due_at_the_wall_clock_of_the_schedule(now: str, due: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    at = WeeklyTime(0, time(9))

    found = last_time(at, datetime.fromisoformat(now).replace(tzinfo=zone).astimezone(UTC), zone)

    assert found == datetime.fromisoformat(due).replace(tzinfo=zone)


FOLLOW_UP = """
WITH made AS (
    INSERT INTO chatops.incidents (environment, severity, title, services, since, chain)
    VALUES ('prod', 'sev2', 'a full disk', '{}', now(), '{}') RETURNING id
)
INSERT INTO chatops.incident_todos (incident_id, text, by_user, done_at, done_by)
SELECT made.id, one.text, 'U0ANN', one.done_at, one.done_by
FROM made, (VALUES ('raise the limit', NULL, NULL), ('done already', now(), 'U0ANN')) AS one (text, done_at, done_by)
"""


@pytest.mark.parametrize(("late", "posts"), [(timedelta(), 1), (LATE_AT_MOST + timedelta(hours=1), 0)])
async def test_weekly_report_is_posted_once_and_not_much_later(
    database_urls: DatabaseUrls, as_bot: Connection, late: timedelta, posts: int
) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    async with database.transaction() as conn:
        epoch = await leases.take_lease(conn, name=LEADER, owner="test", duration=timedelta(hours=1))
    assert epoch is not None
    await as_bot.execute(FOLLOW_UP)
    due = datetime.now(UTC) - timedelta(minutes=5) - late
    at = WeeklyTime(due.weekday(), due.time().replace(second=0, microsecond=0, tzinfo=None))
    zone = ZoneInfo("UTC")
    task = WeeklyReport(database, WakeUps(), channel="C1", environment="prod", zone=zone, at=at)

    for _ in range(2):
        await task.tick(Fence("test", epoch))

    rows = await (await as_bot.execute("SELECT key, text, blocks::text FROM chatops.outbox")).fetchall()
    assert len(rows) == posts
    assert all("*Open follow-ups*" in blocks and "raise the limit" in blocks for _, _, blocks in rows)
    assert all("done already" not in blocks for _, _, blocks in rows)
    assert all(key.startswith("report:20") and "Report" in text for key, text, _ in rows)
    await database.close()
