"""One GitHub issue per follow-up, across crashes and lost answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.commands.incident import postmortem
from bot.incidents.todo_issues import MOST_ATTEMPTS, MOST_PER_ROUND, TodoIssues
from bot.incidents.todos import NewTodo
from services.clients.postgres.incidents import read_incident_record
from services.clients.postgres.pool import Connection
from services.clients.postgres.todos import read_todo
from services.domain.errors import SourceError
from services.domain.incidents import IncidentSeverity
from tests.github import LocalGitHub
from tests.integration.bot.incidents.conftest import ANN, Books, Scene, request

TEXT = "raise @all the ``limit, fixes #12 <!-- hi -->"


@pytest.fixture
async def github(scene: Scene) -> LocalGitHub:
    scene.incident_service.makes_issues = True
    await scene.incident_service.open(request(ANN), title="no uploads", severity=IncidentSeverity.SEV3, services=())
    return LocalGitHub()


def task_of(scene: Scene, github: LocalGitHub, *, leaves_within_s: float = 60.0) -> TodoIssues:
    return TodoIssues(
        scene.database,
        scene.incident_store,
        github.client(),
        workspace_url=lambda: "https://acme.slack.test/",
        leaves_within_s=leaves_within_s,
    )


async def due_now(books: Books) -> None:
    await books.conn.execute("UPDATE chatops.incident_todos SET issue_due_at = now() - interval '1 s'")


async def add(scene: Scene, text: str = TEXT) -> None:
    await scene.incident_service.add_todo(1, request(ANN), NewTodo(text, "U0BEN", datetime(2026, 1, 9, 23, tzinfo=UTC)))


async def test_a_follow_up_gets_one_issue_that_mentions_no_one(scene: Scene, books: Books, github: LocalGitHub) -> None:
    await add(scene)
    task = task_of(scene, github)

    for _ in range(3):
        await task.tick(scene.fence)
        await due_now(books)

    [issue] = github.issues
    assert issue["title"] == TEXT
    body = issue["body"]
    assert f"```text\n{TEXT}\n```" in body
    assert "Due: 2026-01-09 23:00 UTC" in body
    assert "incident 1" in body
    assert "```text\nno uploads\n```" in body
    assert "U0BEN" not in body
    assert "<!-- dragonfly-follow-up:" in body
    assert "|issue 1>" in (await books.messages())["incident:1:todo:1"]
    record = await read_incident_record(books.conn, 1)
    assert record is not None
    assert "<https://github.test/acme/dragonfly/issues/1>" in postmortem(record, {})


async def test_a_lost_answer_is_looked_for_and_never_asked_for_again(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    """First the issue was made and the answer lost; then nothing was made and the answer lost; then the bot died in
    between."""
    task = task_of(scene, github)
    await add(scene)
    github.faults.append(None)
    await task.tick(scene.fence)
    await due_now(books)
    await task.tick(scene.fence)
    assert (len(github.issues), github.posts()) == (1, 1)

    await add(scene)
    github.faults.append(httpx.ReadTimeout("lost"))
    await task.tick(scene.fence)
    assert len(github.issues) == 1
    await due_now(books)
    await task.tick(scene.fence)
    assert (len(github.issues), github.posts()) == (2, 3)

    await add(scene)
    dying = task_of(scene, github)
    dying._finish = _dies  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        await dying.tick(scene.fence)
    await due_now(books)
    await task.tick(scene.fence)
    assert (len(github.issues), github.posts()) == (3, 4)
    todos = [await read_todo(books.conn, todo_id=n) for n in (1, 2, 3)]
    assert [one.issue_url[-2:] if one and one.issue_url else "" for one in todos] == ["/1", "/2", "/3"]


async def _dies(*_: object, **__: object) -> None:
    raise SystemExit


async def test_an_issue_is_not_asked_for_again_before_the_first_answer_can_be_found(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    await add(scene)
    github.faults.append(None)
    task = task_of(scene, github)

    for _ in range(3):  # not due: the pause is longer than any call
        await task.tick(scene.fence)

    assert len(github.calls) == 1
    [row] = await (await books.conn.execute("SELECT issue_due_at - now() FROM chatops.incident_todos")).fetchall()
    assert row[0] > timedelta(seconds=30)


async def test_todo_issue_reports_a_refusal_once_and_waits_out_a_rate_limit(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    task = task_of(scene, github)
    await add(scene)
    github.headers = {"retry-after": "60"}
    github.faults.extend([403, httpx.ConnectError("away")])
    for _ in range(2):
        await task.tick(scene.fence)
        await due_now(books)
    assert not any("has no GitHub issue" in text for text in (await books.messages()).values())
    github.headers = {}
    github.faults.append(422)
    for _ in range(3):
        await task.tick(scene.fence)
        await due_now(books)

    note = (await books.messages())["incident:1:todo:1:issue"]
    assert "⚠️ Follow-up 1 has no GitHub issue: refused (422)." in note
    assert (github.issues, github.posts()) == ([], 3)
    assert all(one.method == "POST" for one in github.calls)  # what was refused is not looked for


async def test_todo_issue_gives_up_after_a_day_and_says_that_it_may_exist(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    await add(scene)
    sent = "UPDATE chatops.incident_todos SET issue_attempts = %s, issue_sent_at = now()"
    await books.conn.execute(sent, (MOST_ATTEMPTS - 1,))
    await due_now(books)
    github.faults.append(502)

    await task_of(scene, github).tick(scene.fence)

    note = (await books.messages())["incident:1:todo:1:issue"]
    assert "broken (502); whether it exists is unknown" in note


async def test_no_issue_is_asked_for_too_late_or_of_what_is_done(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    await add(scene)
    await task_of(scene, github, leaves_within_s=-1.0).tick(scene.fence)  # a process that was frozen
    assert github.calls == []
    await scene.incident_service.finish_todo(1, request(ANN))
    await due_now(books)
    task = task_of(scene, github)

    for _ in range(3):
        await task.tick(scene.fence)
        await due_now(books)

    assert github.posts() == 0


async def test_open_follow_ups_from_before_the_token_get_one_issue_each_which_the_channel_reads(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    """A few per tick, and not those that are done."""
    scene.incident_service.makes_issues = False
    for n in range(MOST_PER_ROUND + 3):
        await add(scene, f"task {n + 1}")
    await scene.incident_service.finish_todo(2, request(ANN))
    task = task_of(scene, github)

    await task.tick(scene.fence)
    assert github.calls == []
    first = (await books.messages())["todos:issues:1"]
    for _ in range(MOST_PER_ROUND + 1):
        await task.tick(scene.fence)
    assert len(github.issues) == MOST_PER_ROUND
    second = (await books.messages())["todos:issues:12"]
    for _ in range(6):
        await task.tick(scene.fence)
        await due_now(books)

    assert [one["title"] for one in github.issues] == [f"task {n}" for n in (1, *range(3, MOST_PER_ROUND + 4))]
    assert "GitHub issues for 10 open follow-ups" in first
    assert "1, 3, 4, 5, 6, 7, 8, 9, 10, 11" in first
    blocks = await (await books.conn.execute("SELECT string_agg(blocks::text, '') FROM chatops.outbox")).fetchall()
    assert "GITHUB_TOKEN" not in str(blocks)  # the token may have been set when some of them were written
    assert "GitHub issues for 2 open follow-ups" in second
    messages = await books.messages()
    assert "|issue 1>" in messages["incident:1:todo:1"]
    assert "issue" not in messages["incident:1:todo:2"]
    assert len([key for key in messages if key.startswith("todos:issues:")]) == 2


async def test_a_follow_up_that_is_done_before_its_turn_gets_no_issue(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    scene.incident_service.makes_issues = False
    await add(scene)
    task = task_of(scene, github)
    await task.tick(scene.fence)
    await scene.incident_service.finish_todo(1, request(ANN))

    for _ in range(2):
        await task.tick(scene.fence)

    assert github.calls == []
    assert "has no GitHub issue" not in str(await books.messages())


async def test_a_refused_token_costs_no_follow_up_its_issue_and_the_channel_reads_it_once(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    """However often the bot starts with it. With a good one all of them get their issue, and the message says so."""
    scene.incident_service.makes_issues = False
    for n in range(MOST_PER_ROUND + 2):
        await add(scene, f"task {n + 1}")
    github.faults.extend([401] * 9)
    for _ in range(3):
        task = task_of(scene, github)
        for _ in range(4):
            await task.tick(scene.fence)
    assert github.posts() == 3  # one per start

    messages = await books.messages()
    [wanted] = [key for key in messages if key.startswith("todos:issues:") and "refused" not in key]
    assert "GitHub issues for 10 open follow-ups" in messages[wanted]
    [refused] = [key for key in messages if key.startswith("todos:issues:refused:")]
    assert "GITHUB_TOKEN is refused (401)" in messages[refused]
    assert "10 follow-ups wait for an issue: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10" in messages[refused]
    assert not any("has no GitHub issue" in text for text in messages.values())

    scene.incident_service.makes_issues = True
    await add(scene, "task 13")  # written while the token is refused
    await task.tick(scene.fence)
    assert "11 follow-ups wait for an issue" in (await books.messages())[refused]
    github.faults.clear()
    after_a_start = task_of(scene, github)
    for _ in range(11):
        await after_a_start.tick(scene.fence)
    assert "GitHub accepts issues for follow-ups again" in (await books.messages())[refused]
    for _ in range(4):
        await after_a_start.tick(scene.fence)

    assert sorted(one["title"] for one in github.issues) == sorted(f"task {n + 1}" for n in range(MOST_PER_ROUND + 3))
    assert len([key for key in await books.messages() if key.startswith("todos:issues:refused:")]) == 1


async def test_what_github_refuses_for_all_is_tried_again_each_hour_and_counts_as_no_attempt(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    await add(scene)
    task = task_of(scene, github)
    query = "SELECT issue_attempts, issue_sent_at, issue_failed, issue_due_at - now() FROM chatops.incident_todos"
    for number, status in enumerate((301, 403, 404, 410), start=1):
        github.faults.append(status)
        for _ in range(2):
            await task.tick(scene.fence)
        assert github.posts() == number, status
        [(attempts, sent_at, failed, pause)] = await (await books.conn.execute(query)).fetchall()
        assert (attempts, sent_at, failed) == (0, None, None), status
        assert timedelta(minutes=50) < pause <= timedelta(hours=1), status
        await due_now(books)

    await task.tick(scene.fence)

    assert len(github.issues) == 1


async def test_message_of_a_refusal_counts_no_follow_up_that_is_done_and_ends_with_the_last(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    for n in range(3):
        await add(scene, f"task {n + 1}")
    await scene.incident_service.finish_todo(2, request(ANN))
    github.faults.extend([401] * 9)
    task = task_of(scene, github)

    await task.tick(scene.fence)
    [refused] = [key for key in await books.messages() if key.startswith("todos:issues:refused:")]
    assert "2 follow-ups wait for an issue: 1, 3" in (await books.messages())[refused]
    for number in (1, 3):
        await scene.incident_service.finish_todo(number, request(ANN))
    await due_now(books)
    for _ in range(4):
        await task.tick(scene.fence)

    assert github.posts() == 1
    assert "No follow-up is waiting" in (await books.messages())[refused]


async def test_an_issue_that_may_exist_is_looked_for_after_a_refusal_too(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    await add(scene)
    task = task_of(scene, github)
    github.faults.append(None)
    for github.is_readable in (True, False, True):
        await task.tick(scene.fence)
        await due_now(books)

    assert (len(github.issues), github.posts()) == (1, 1)
    assert "|issue 1>" in (await books.messages())["incident:1:todo:1"]


async def test_a_refusal_after_a_refusal_that_ended_is_a_message_of_its_own(
    scene: Scene, books: Books, github: LocalGitHub
) -> None:
    """An edit would notify no one."""
    task = task_of(scene, github)
    for _ in range(2):
        await add(scene)
        github.faults.append(401)
        await task.tick(scene.fence)
        await due_now(books)
        await task.tick(scene.fence)

    texts = [text for key, text in (await books.messages()).items() if key.startswith("todos:issues:refused:")]
    assert len(texts) == 2
    assert all("again" in text for text in texts)


async def test_an_issue_whose_address_cannot_be_stored_is_given_up_in_the_end(
    scene: Scene, books: Books, github: LocalGitHub, as_owner: Connection
) -> None:
    """Each time it is found again, and the database refuses to store it."""
    await add(scene)
    await as_owner.execute("ALTER TABLE chatops.incident_todos ADD CONSTRAINT refused CHECK (issue_url IS NULL)")
    await as_owner.commit()
    task = task_of(scene, github)
    await books.conn.execute("UPDATE chatops.incident_todos SET issue_attempts = %s", [MOST_ATTEMPTS - 1])
    with pytest.raises(SourceError):
        await task.tick(scene.fence)
    await due_now(books)

    await task.tick(scene.fence)

    todo = await read_todo(books.conn, todo_id=1)
    assert todo is not None
    assert todo.issue_url is None
    assert len(github.issues) == 1
    assert "could not be stored" in (await books.messages())["incident:1:todo:1:issue"]
