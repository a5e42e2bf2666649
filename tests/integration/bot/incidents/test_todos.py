"""Follow-ups: in the thread, the timeline and the postmortem, and done once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.approvals.access import Refused
from bot.commands.incident import people_in, postmortem
from bot.commands.todo import parse
from bot.incidents.acts import Done
from bot.incidents.todos import NewTodo
from services.clients.postgres.incidents import read_incident_record
from services.clients.postgres.todos import list_open_todos
from services.domain.errors import UsageError
from services.domain.incidents import IncidentSeverity
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import ANN, BEN, OTTO, Books, Scene, request

NOW = datetime(2026, 1, 7, 11, tzinfo=UTC)  # a Wednesday
DUE = datetime(2026, 1, 9, 22, 59, tzinfo=UTC)  # the end of Friday in Berlin


def test_todo_parser_reads_assignee_and_due_time_before_the_title() -> None:
    table = {
        "<@U0BEN> by friday raise the limit": NewTodo("raise the limit", "U0BEN", DUE),
        "by friday raise the limit": NewTodo("raise the limit", None, DUE),
        "U0BEN raise the limit by hand": NewTodo("raise the limit by hand", "U0BEN"),
        "by fri 16:00 look": NewTodo("look", None, datetime(2026, 1, 9, 15, tzinfo=UTC)),
    }

    assert {typed: parse(typed.split(), NOW, ZoneInfo("Europe/Berlin")) for typed in table} == table
    for typed in ("", "U0BEN", "U0BEN by friday", "by frdiay raise it"):
        with pytest.raises(UsageError):
            parse(typed.split(), NOW, ZoneInfo("Europe/Berlin"))


async def test_a_follow_up_stands_in_thread_timeline_and_postmortem_until_it_is_done_once(
    scene: Scene, books: Books
) -> None:
    service = scene.incident_service
    await service.open(request(ANN), title="no uploads", severity=IncidentSeverity.SEV3, services=())
    await service.resolve(1, request(ANN), "a full disk")

    due = datetime.now(UTC) + timedelta(days=2)
    added = await service.add_todo(1, request(ANN), NewTodo("raise *the* limit", model.BEN.id, due))
    assert isinstance(added, Done)
    assert isinstance(await service.add_todo(1, request(OTTO), NewTodo("me too")), Refused)

    assert f"<@{model.BEN.id}>: raise" in (await books.messages())["incident:1:todo:1"]
    assert "incident done 1" in await books.blocks("incident:1:todo:1")
    assert "todo" in await books.kinds()
    record = await read_incident_record(books.conn, 1)
    assert record is not None
    assert "- [ ] raise \\*the\\* limit, Ben Osei, until 20" in postmortem(record, {model.BEN.id: "Ben Osei"})
    assert model.BEN.id in people_in(record)  # who has not acted in the incident yet

    await service.add_todo(1, request(ANN), NewTodo("for no one yet"))
    assert len(await list_open_todos(books.conn, limit=9)) == 2
    assert [one.id for one in await list_open_todos(books.conn, limit=1, owner=model.BEN.id)] == [1]
    assert await list_open_todos(books.conn, limit=9, owner=model.ANN.id) == []
    await service.finish_todo(2, request(ANN))

    outcomes = [await service.finish_todo(1, request(BEN)) for _ in range(2)]
    assert [type(one) for one in outcomes] == [Done, Refused]
    assert isinstance(await service.finish_todo(9, request(BEN)), Refused)
    assert await list_open_todos(books.conn, limit=9) == []
    assert "incident done" not in await books.blocks("incident:1:todo:1")
    assert f"done by <@{model.BEN.id}>" in (await books.messages())["incident:1:todo:1"]


async def test_a_follow_up_is_added_and_done_when_the_thread_of_its_incident_is_pruned(
    scene: Scene, books: Books
) -> None:
    service = scene.incident_service
    await service.open(request(ANN), title="no uploads", severity=IncidentSeverity.SEV3, services=())
    await service.resolve(1, request(ANN), "a full disk")
    await service.add_todo(1, request(ANN), NewTodo("raise the limit"))
    await books.conn.execute("DELETE FROM chatops.outbox")
    await books.conn.commit()

    outcomes = [
        await service.add_todo(1, request(ANN), NewTodo("and more")),
        await service.finish_todo(1, request(BEN)),
    ]

    assert [one.words for one in outcomes if isinstance(one, Done)] == ["Follow-up 2 is added.", "Follow-up 1 is done."]
    assert [one.id for one in await list_open_todos(books.conn, limit=9)] == [2]
    assert await books.messages() == {}
