"""Incidents as the bot stores them: acknowledged, resolved, paged for; each change once and never after the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.clients.postgres import incidents
from services.clients.postgres.pool import Connection, Database
from services.domain.alerts import KnownCause
from services.domain.errors import SourceError
from services.domain.incidents import Incident, IncidentSeverity, IncidentState, NewIncident
from services.domain.people import Person

ANN, BEN = Person("U1", "T1"), Person("U2", "T1")
CHAIN: Mapping[str, Any] = {"levels": []}
NEW = NewIncident(
    environment="staging",
    severity=IncidentSeverity.SEV1,
    title="No ingest",
    services=("dragonfly-worker-ingest",),
    opened_by=None,
    chain=CHAIN,
)
SOON = timedelta(minutes=5)
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


async def read(conn: Connection, incident_id: int) -> Incident:
    found = await incidents.read_incident(conn, incident_id)
    assert found is not None
    return found


async def test_an_incident_is_read_as_it_was_opened(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, replace(NEW, opened_by=ANN, since=BEFORE))

    incident = await read(as_bot, number)
    assert (incident.state, incident.severity, incident.title) == (IncidentState.OPEN, NEW.severity, NEW.title)
    assert (incident.services, incident.opened_by, incident.chain) == (NEW.services, ANN, CHAIN)
    assert (incident.since, incident.pages, incident.due_at, incident.briefed) == (BEFORE, 0, None, 0)


async def test_incident_does_not_begin_in_the_future(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, replace(NEW, since=datetime(2100, 1, 1, tzinfo=UTC)))

    incident = await read(as_bot, number)
    assert incident.since <= incident.opened_at


async def test_list_open_incidents_leaves_out_resolved_ones(as_bot: Connection) -> None:
    first, second, third = [await incidents.create_incident(as_bot, NEW) for _ in range(3)]
    await incidents.acknowledge_incident(as_bot, incident_id=second, person=ANN, due_in=SOON)
    await incidents.resolve_incident(as_bot, incident_id=third, person=ANN, cause="noise")

    assert [one.id for one in await incidents.list_open_incidents(as_bot)] == [first, second]
    assert [one.id for one in await incidents.list_incidents(as_bot, limit=2)] == [third, second]


async def test_another_person_takes_over_and_the_first_time_stays(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)
    assert await incidents.acknowledge_incident(as_bot, incident_id=number, person=ANN, due_in=SOON)
    first = await read(as_bot, number)

    assert await incidents.acknowledge_incident(as_bot, incident_id=number, person=BEN, due_in=SOON)

    then = await read(as_bot, number)
    assert (first.acknowledged_by, then.acknowledged_by) == (ANN, BEN)
    assert then.first_acknowledged_at == first.first_acknowledged_at == first.acknowledged_at
    assert then.active_at > first.active_at


async def test_an_incident_that_no_one_has_any_more_is_open_and_due_at_once(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)
    await incidents.acknowledge_incident(as_bot, incident_id=number, person=ANN, due_in=SOON)
    first = await read(as_bot, number)

    assert await incidents.unacknowledge_incident(as_bot, incident_id=number)

    incident = await read(as_bot, number)
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_at) == (IncidentState.OPEN, None, None)
    assert incident.first_acknowledged_at == first.first_acknowledged_at
    assert incident.due_at is not None
    assert first.due_at is not None
    assert incident.due_at < first.due_at
    assert not await incidents.unacknowledge_incident(as_bot, incident_id=number)


async def test_nothing_changes_an_incident_that_is_resolved(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)
    await incidents.set_due(as_bot, incident_id=number, due_in=SOON)
    assert await incidents.resolve_incident(as_bot, incident_id=number, person=ANN, cause="a bad deploy")
    ended = await read(as_bot, number)

    assert not await incidents.acknowledge_incident(as_bot, incident_id=number, person=BEN, due_in=SOON)
    assert not await incidents.unacknowledge_incident(as_bot, incident_id=number)
    assert not await incidents.resolve_incident(as_bot, incident_id=number, person=BEN, cause="something else")
    assert not await incidents.change_severity(as_bot, incident_id=number, severity=IncidentSeverity.SEV3)
    assert not await incidents.note_activity(as_bot, incident_id=number, due_in=SOON)
    assert not await incidents.note_reminder(as_bot, incident_id=number, due_in=SOON)
    assert not await incidents.set_due(as_bot, incident_id=number, due_in=SOON)
    assert not await incidents.set_cleared(as_bot, incident_id=number, cleared_at=BEFORE)
    assert not await incidents.note_briefed(as_bot, incident_id=number, part=1)
    assert await read(as_bot, number) == ended
    assert (ended.resolved_by, ended.cause, ended.due_at) == (ANN, "a bad deploy", None)


async def test_the_parts_of_the_diagnosis_are_reported_in_order_and_once(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)

    reported = [await incidents.note_briefed(as_bot, incident_id=number, part=part) for part in (2, 1, 1, 2)]

    assert reported == [False, True, False, True]


async def test_a_cause_that_is_found_takes_the_place_of_the_one_before_with_its_remedy(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)
    deploy, away = KnownCause("deploy e9a70d3b crashes", BEFORE, "rollback ingest"), KnownCause("The database is away")

    shown = []
    for part, cause in enumerate((deploy, None, away), start=1):
        await incidents.note_briefed(as_bot, incident_id=number, part=part, cause=cause)
        known = await read(as_bot, number)
        shown.append((known.diagnosis, known.diagnosed_since, known.remedy))

    assert shown == [
        (deploy.title, BEFORE, "rollback ingest"),
        (deploy.title, BEFORE, "rollback ingest"),
        (away.title, None, None),
    ]


async def test_each_page_is_written_once_and_counted(as_bot: Connection) -> None:
    number = await incidents.create_incident(as_bot, NEW)

    async def page(which: int) -> bool:
        return await incidents.record_page(
            as_bot, incident_id=number, number=which, level=0, reason="nobody answered", due_in=SOON
        )

    assert [await page(1), await page(1), await page(2)] == [True, False, True]
    assert [one.number for one in await incidents.list_pages(as_bot, number)] == [1, 2]
    assert (await read(as_bot, number)).pages == 2


async def test_the_level_after_the_paged_one_is_next_until_an_alert_fires_again(
    as_bot: Connection,
) -> None:
    number = await incidents.create_incident(as_bot, NEW)
    await incidents.record_page(as_bot, incident_id=number, number=1, level=3, reason="opened", due_in=SOON)
    called = await read(as_bot, number)

    assert await incidents.set_cleared(as_bot, incident_id=number, cleared_at=BEFORE)
    cleared = await read(as_bot, number)
    assert await incidents.set_cleared(as_bot, incident_id=number, cleared_at=None)

    assert (called.next_level, cleared.next_level) == (4, 4)
    assert (await read(as_bot, number)).next_level == 0


async def test_a_page_after_the_end_fails_whole(database: Database) -> None:
    async with database.transaction() as conn:
        number = await incidents.create_incident(conn, NEW)
        await incidents.resolve_incident(conn, incident_id=number, person=ANN, cause="noise")

    with pytest.raises(SourceError):
        async with database.transaction() as conn:
            await incidents.record_page(conn, incident_id=number, number=1, level=0, reason="opened", due_in=SOON)

    async with database.read() as conn:
        assert await incidents.list_pages(conn, number) == []


async def test_of_a_resolve_and_an_acknowledgement_in_the_same_instant_the_resolve_wins(database: Database) -> None:
    async with database.transaction() as conn:
        numbers = [await incidents.create_incident(conn, NEW) for _ in range(50)]

    async def acknowledge(number: int) -> None:
        async with database.transaction() as conn:
            await incidents.acknowledge_incident(conn, incident_id=number, person=BEN, due_in=SOON)

    async def resolve(number: int) -> None:
        async with database.transaction() as conn:
            assert await incidents.resolve_incident(conn, incident_id=number, person=ANN, cause="noise")

    for number in numbers:
        await asyncio.gather(acknowledge(number), resolve(number))

    async with database.read() as conn:
        assert await incidents.list_open_incidents(conn) == []


async def test_of_a_resolve_and_a_page_in_the_same_instant_none_is_after_the_other(database: Database) -> None:
    """A page that was stored was stored before the resolve, which then sees it."""
    async with database.transaction() as conn:
        numbers = [await incidents.create_incident(conn, NEW) for _ in range(50)]

    async def page(number: int) -> bool:
        try:
            async with database.transaction() as conn:
                return await incidents.record_page(
                    conn, incident_id=number, number=1, level=0, reason="opened", due_in=SOON
                )
        except SourceError:
            return False

    async def resolve(number: int) -> int:
        async with database.transaction() as conn:
            await incidents.resolve_incident(conn, incident_id=number, person=ANN, cause="noise")
            return len(await incidents.list_pages(conn, number))

    for number in numbers:
        written, seen = await asyncio.gather(page(number), resolve(number))
        assert written == bool(seen)


async def test_two_replicas_write_a_page_once(database: Database) -> None:
    async with database.transaction() as conn:
        number = await incidents.create_incident(conn, NEW)

    async def page() -> bool:
        async with database.transaction() as conn:
            return await incidents.record_page(
                conn, incident_id=number, number=1, level=0, reason="opened", due_in=SOON
            )

    assert sorted(await asyncio.gather(*[page() for _ in range(10)])) == [False] * 9 + [True]
