"""The thread is told in order, each step once, whatever is away and whoever dies in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.facts import World
from bot.incidents.briefing import STEPS, Briefing
from bot.incidents.slack_names import SlackNames
from bot.leader import Fence, LostLeadershipError
from services.domain.incidents import IncidentSeverity
from services.domain.services import Service
from services.sandbox.slack import cast
from tests.integration.bot.conftest import Outside
from tests.integration.bot.incidents.conftest import ANN, OLIVIA, Books, Scene, request

ALL = [f"incident:1:briefing:{number}" for number in range(1, len(STEPS) + 1)]


async def open_one(scene: Scene) -> None:
    await scene.room.open(request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV3, services=[Service.INGEST])


async def told(books: Books) -> list[str]:
    return [key for key in await books.messages() if ":briefing:" in key]


@pytest.fixture
async def briefing(scene: Scene, world: World) -> Briefing:
    return Briefing(scene.database, world, scene.board, poll_s=lambda: 0.05, step_s=6)


async def test_the_steps_of_the_escalation_path_are_told_in_order(
    scene: Scene, books: Books, briefing: Briefing
) -> None:
    await open_one(scene)

    await briefing.look(scene.fence)

    assert await told(books) == ALL
    first = [text.splitlines()[0] for key, text in (await books.messages()).items() if ":briefing:" in key]
    assert [line[1] for line in first] == ["1", "2", "3", "4", "5", "6"]


async def test_a_group_is_read_by_its_handle_and_rung_by_nobody_who_reads(
    scene: Scene, books: Books, briefing: Briefing, names: SlackNames
) -> None:
    scene.reschedule(None, approvers=(cast.APPROVERS.id, cast.OLIVIA.id))
    names.of(cast.APPROVERS.id)
    names.of(cast.OLIVIA.id)
    await names.read()
    await open_one(scene)

    await briefing.look(scene.fence)

    shown = (await books.messages())[ALL[5]] + await books.blocks(ALL[5])
    assert f"1. @{cast.APPROVERS.handle}, {cast.OLIVIA.real_name}, 5 min each" in shown
    assert cast.APPROVERS.id not in shown
    assert cast.OLIVIA.id not in shown


async def test_they_are_told_once(scene: Scene, books: Books, briefing: Briefing) -> None:
    await open_one(scene)
    await briefing.look(scene.fence)
    before = await books.messages()

    await briefing.look(scene.fence)

    assert await books.messages() == before


async def test_what_is_away_is_said_and_holds_nothing_up(
    scene: Scene, books: Books, briefing: Briefing, outside: Outside
) -> None:
    outside.railway_status = 503
    outside.api_status = 503
    await open_one(scene)

    async with asyncio.timeout(60):
        await briefing.look(scene.fence)

    assert await told(books) == ALL
    assert "unknown: deployments of api" in (await books.messages())[ALL[0]]


async def test_a_step_that_takes_too_long_is_said(scene: Scene, books: Books, world: World, outside: Outside) -> None:
    outside.railway_delay_s = 60
    await open_one(scene)

    await Briefing(scene.database, world, scene.board, poll_s=lambda: 0.05, step_s=2).look(scene.fence)

    messages = await books.messages()
    assert await told(books) == ALL
    assert "not known, no answer within 2 s" in messages[ALL[2]]
    assert "Who is called" in messages[ALL[5]]


async def test_a_successor_goes_on_where_its_predecessor_stopped(
    scene: Scene, books: Books, briefing: Briefing
) -> None:
    await open_one(scene)
    await books.conn.execute("UPDATE chatops.incidents SET briefed = 3")

    await briefing.look(scene.fence)

    assert await told(books) == ALL[3:]


async def test_two_at_the_same_time_tell_each_step_once(scene: Scene, books: Books, world: World) -> None:
    await open_one(scene)
    both = [Briefing(scene.database, world, scene.board, poll_s=lambda: 0.05) for _ in range(2)]

    await asyncio.gather(*(one.look(scene.fence) for one in both))

    assert await told(books) == ALL


async def test_nothing_is_told_once_it_is_resolved_or_somebody_else_leads(
    scene: Scene, books: Books, briefing: Briefing
) -> None:
    await open_one(scene)
    with pytest.raises(LostLeadershipError):
        await briefing.look(replace(scene.fence, epoch=scene.fence.epoch + 1))
    await scene.room.resolve(1, request(ANN), "noise")

    await briefing.look(Fence("test", scene.fence.epoch))

    assert await told(books) == []
