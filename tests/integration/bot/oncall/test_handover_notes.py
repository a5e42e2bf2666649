"""The handover note of each shift: once, with what is open, and with the lines that people add to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.approvals.access import Refused
from bot.oncall.handover_notes import HandoverNotes
from services.clients.postgres import alerts, oncall
from services.domain.channels import Channel
from services.domain.incidents import IncidentSeverity
from services.domain.oncall import Level, Schedule
from services.domain.people import Person
from services.domain.rotations import Rotation
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import ANN, OTTO, Books, Scene, request, schedule

HOUR = timedelta(hours=1)


def handed_over(ago: timedelta) -> Schedule:
    """Ben took over from Ann so long ago; shifts of 1 day."""
    first = (datetime.now(UTC) - ago).replace(second=0, microsecond=0) - timedelta(days=1)
    rotation = Rotation("primary", ("ann", "ben"), 1, first.date(), first.time(), ZoneInfo("UTC"))
    level = Level(("primary",), frozenset(Channel), HOUR)
    return replace(schedule(), rotations={"primary": rotation}, levels=(level,))


async def tick(scene: Scene) -> None:
    task = HandoverNotes(scene.database, scene.schedule, scene.wake_ups, channel=model.INCIDENTS_ID, environment="dev")
    await task.tick(scene.fence)


async def notes(books: Books) -> list[str]:
    return [key for key in await books.messages() if key.startswith("oncall:handover:")]


async def test_the_note_says_who_is_on_call_and_what_is_open(scene: Scene, books: Books) -> None:
    scene.reschedule(handed_over(HOUR / 6))
    await scene.incident_service.open(request(ANN), title="no uploads", severity=IncidentSeverity.SEV3, services=())
    async with scene.database.transaction() as conn:
        await alerts.create_silence(
            conn, what="backlog", owner=model.ANN.id, reason="a large file", lasts=HOUR, in_advance=True
        )

    await tick(scene)

    [key] = await notes(books)
    text, blocks = (await books.messages())[key], await books.blocks(key)
    assert f"<@{model.BEN.id}> is on call now, after <@{model.ANN.id}>" in text
    for words in ("no uploads", "backlog", "a large file", "no run ended in the last shift", "no pages in the last 7"):
        assert words in blocks


async def test_the_note_is_written_once_and_not_long_after_the_turn(scene: Scene, books: Books) -> None:
    scene.reschedule(handed_over(HOUR))
    await tick(scene)
    assert await notes(books) == []

    scene.reschedule(handed_over(HOUR / 6))
    for _ in range(2):
        await tick(scene)
    assert len(await notes(books)) == 1
    cur = await books.conn.execute("SELECT content_version FROM chatops.outbox WHERE key LIKE 'oncall:handover:%'")
    assert await cur.fetchall() == [(1,)]


async def test_an_override_that_ends_by_itself_is_a_turn(scene: Scene, books: Books) -> None:
    """The note has the lines, and the shift before it is the override's."""
    service, ended = scene.incident_service.on_call, datetime.now(UTC) - HOUR / 6
    scene.reschedule(handed_over(10 * HOUR))
    by = Person(model.ANN.id, model.TEAM.id)
    async with scene.database.transaction() as conn:
        await oncall.add_override(
            conn, rotation="primary", user_id=model.OLIVIA.id, begins_at=ended - HOUR, ends_at=ended, by=by
        )

    await tick(scene)
    assert isinstance(await service.add_note(request(ANN), rotation="primary", text="see run 12"), str)

    [key, line] = await notes(books)
    assert key == f"oncall:handover:primary:{ended:%Y%m%dT%H%M}"
    assert f"<@{model.BEN.id}> is on call now, after <@{model.OLIVIA.id}>" in (await books.messages())[key]
    assert line.startswith(f"{key}:line:")


async def test_people_add_lines_below_the_note_of_the_current_shift(scene: Scene, books: Books) -> None:
    service = scene.incident_service.on_call
    scene.reschedule(handed_over(HOUR / 6))

    early = await service.add_note(request(ANN), rotation="primary", text="too early")
    assert isinstance(early, Refused)
    assert "first minute" in early.what_next
    await tick(scene)
    assert isinstance(await service.add_note(request(ANN), rotation="primary", text="see run 12"), str)
    assert isinstance(await service.add_note(request(OTTO), rotation="primary", text="hello"), Refused)

    [key, line] = await notes(books)
    assert line.startswith(f"{key}:line:")
    assert (await books.messages())[line] == f"📝 <@{model.ANN.id}>: see run 12"
