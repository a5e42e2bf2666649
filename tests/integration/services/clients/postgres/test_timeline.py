"""Timelines: a marked message is in one once, and things are in the order in which they happened."""

from __future__ import annotations

from services.clients.postgres import incidents, timeline
from services.clients.postgres.pool import Connection
from services.domain.people import Person
from tests.integration.services.clients.postgres.test_incidents import ANN, BEFORE, BEN, NEW


async def test_a_message_is_in_the_timeline_once_until_the_mark_is_taken_off(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)

    async def mark(person: Person) -> bool:
        event = await timeline.add_event(
            as_bot, incident_id=number, kind="marked", text="it was DNS", by=person, channel_id="C1", ts="1.2"
        )
        return event is not None

    assert [await mark(ANN), await mark(BEN)] == [True, False]
    assert await timeline.remove_mark(as_bot, incident_id=number, channel_id="C1", ts="1.2")
    assert await timeline.list_events(as_bot, number, limit=10) == []
    assert not await timeline.remove_mark(as_bot, incident_id=number, channel_id="C1", ts="1.2")


async def test_the_timeline_is_in_the_order_in_which_things_happened(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)
    await timeline.add_event(as_bot, incident_id=number, kind="acknowledged", text="taken on", by=ANN)
    await timeline.add_event(as_bot, incident_id=number, kind="marked", text="earlier", by=BEN, happened_at=BEFORE)

    events = await timeline.list_events(as_bot, number, limit=10)

    assert [(event.text, event.by) for event in events] == [("earlier", BEN), ("taken on", ANN)]
