"""The leader's escalation: the next level, the reminder, the end of an acknowledgement; each once, across replicas and
crashes."""

from __future__ import annotations

import asyncio

import pytest

from bot.incidents.escalation import Escalation
from bot.leader import Fence, LostLeadershipError
from services.domain.alerts import AlertChange
from services.domain.incidents import IncidentSeverity, IncidentState
from services.domain.services import Service
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import ANN, OLIVIA, SHORT, Books, Scene, request, schedule


async def open_one(scene: Scene, severity: IncidentSeverity = IncidentSeverity.SEV1, *, another: bool = False) -> None:
    await scene.incident_service.open(
        request(OLIVIA), title="No ingest", severity=severity, services=[Service.INGEST], another=another
    )


async def until(scene: Scene, books: Books, kind: str, times: int = 1) -> None:
    async with asyncio.timeout(60):
        while (await books.kinds()).count(kind) < times:
            await asyncio.sleep(min(await scene.escalation.tick(scene.fence), 0.02))


async def test_each_level_is_paged_until_a_person_answers(scene: Scene, books: Books) -> None:
    scene.reschedule(schedule(SHORT))
    await open_one(scene)

    await until(scene, books, "called", 4)

    texts = [event.text.split(" is paged")[0] for event in await books.events() if event.kind == "called"]
    assert texts[:4] == ["level 1 (ann)", "level 2 (ben)"] * 2


async def test_no_page_goes_out_while_all_is_fine_and_the_next_one_does_when_it_fires_again(
    scene: Scene, books: Books
) -> None:
    fine = "dev · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"
    alert = await scene.alert(AlertChange.FIRED)
    await scene.alert(AlertChange.CHANGED, alert, line=fine)
    await books.make_due()
    await scene.escalation.tick(scene.fence)
    assert (await books.incident()).pages == 1
    assert (await books.incident()).due_at is not None
    assert " · next " not in (await books.blocks("incident:1"))

    await scene.alert(AlertChange.CHANGED, alert, line="PAGE dev · ingest is down (0 of 1)")
    await books.make_due()
    await scene.escalation.tick(scene.fence)

    assert (await books.incident()).pages == 2


async def test_no_level_is_paged_before_it_is_due(scene: Scene, books: Books) -> None:
    await open_one(scene)

    wait_s = await scene.escalation.tick(scene.fence)

    assert 0 < wait_s <= 0.05  # it polls too
    assert (await books.incident()).pages == 1


async def test_a_silent_owner_is_reminded_then_the_incident_reopens_and_pages_the_next_level(
    scene: Scene, books: Books
) -> None:
    scene.reschedule(schedule(silence=SHORT))
    await open_one(scene)
    await scene.incident_service.acknowledge(1, request(ANN))

    await until(scene, books, "unacknowledged")

    assert (await books.kinds())[2:] == ["acknowledged", "reminded", "unacknowledged", "called"]
    incident = await books.incident()
    assert (incident.state, incident.acknowledged_by) == (IncidentState.OPEN, None)
    assert await books.notifications() == {"incident:1:page:2:webhook:ben"}


async def test_reminder_reaches_the_assignee_and_is_withdrawn_by_the_answer(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await scene.incident_service.acknowledge(1, request(ANN))
    await books.make_due()
    await scene.escalation.tick(scene.fence)
    reminders = {key: text for key, text in (await books.messages()).items() if "reminder" in key}

    await scene.incident_service.acknowledge(1, request(ANN))

    assert len(reminders) == 2
    assert all(f"<@{model.ANN.id}> Are you still" in text for text in reminders.values())
    assert [key for key in await books.messages() if "reminder" in key] == []


async def test_an_action_of_the_owner_postpones_the_reminder(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await scene.incident_service.acknowledge(1, request(ANN))
    await books.make_due()

    await scene.incident_service.note_activity(await books.incident())
    await scene.escalation.tick(scene.fence)

    assert "reminded" not in await books.kinds()


async def test_an_incident_that_pages_no_one_has_one_reminder(scene: Scene, books: Books) -> None:
    scene.reschedule(schedule(SHORT, silence=SHORT))
    await open_one(scene, IncidentSeverity.SEV3)

    await until(scene, books, "reminded")
    for _ in range(5):
        await asyncio.sleep(SHORT.total_seconds())
        await scene.escalation.tick(scene.fence)

    assert await books.kinds() == ["opened", "reminded"]
    assert (await books.incident()).due_at is None


async def test_two_that_look_at_the_same_time_call_once(scene: Scene, books: Books) -> None:
    other = Escalation(scene.database, scene.incident_store)
    for number in range(1, 11):
        await open_one(scene, another=True)
        await books.make_due(number)

        await asyncio.gather(scene.escalation.tick(scene.fence), other.tick(scene.fence))

        assert (await books.incident(number)).pages == 2


async def test_a_replica_that_lost_the_lease_pages_no_one(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await books.make_due()

    with pytest.raises(LostLeadershipError):
        await scene.escalation.tick(Fence("test", scene.fence.epoch + 1))

    assert (await books.incident()).pages == 1


async def test_a_step_that_fails_leaves_nothing_behind_and_is_done_the_next_time(scene: Scene, books: Books) -> None:
    """A crash in the middle: the messages and the state are one transaction."""
    await open_one(scene)
    await books.make_due()
    place, before = scene.incident_store.place, await books.messages()
    scene.incident_store.place = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await scene.escalation.tick(scene.fence)
    assert ((await books.incident()).pages, await books.messages()) == (1, before)

    scene.incident_store.place = place
    await scene.escalation.tick(scene.fence)

    assert (await books.incident()).pages == 2
    assert "incident:1:page:2" in await books.messages()


async def test_half_posted_root_message_is_repaired_by_the_next_sender(scene: Scene, books: Books) -> None:
    """The root message was stored, and the bot that was to post it died."""
    await open_one(scene)
    await books.conn.execute("UPDATE chatops.outbox SET posting_since = clock_timestamp() WHERE key = 'incident:1'")

    await scene.sender.flush(scene.fence)

    assert "incident:1" not in await books.unsent()
