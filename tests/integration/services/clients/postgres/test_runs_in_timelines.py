"""The changes of runs while an incident is open are in its timeline, and in no other's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.clients.postgres import incidents, runs, timeline
from services.clients.postgres.pool import Connection
from services.domain.incidents import IncidentSeverity, NewIncident
from services.domain.people import Person
from services.domain.runs import NewRun, RunState
from tests.integration.services.clients.postgres.conftest import STEPS

ANN = Person("U1", "T1")


async def open_one(conn: Connection, *services: str) -> int:
    new = NewIncident("staging", IncidentSeverity.SEV1, "No API", services, None, {"levels": []})
    return await incidents.create_incident(conn, new)


async def reported(conn: Connection, number: int) -> list[str]:
    return [event.text for event in await timeline.list_events(conn, number, limit=100)]


async def test_each_state_of_a_run_is_a_line(as_bot: Connection, new_run: NewRun) -> None:
    number = await open_one(as_bot, "dragonfly-api")

    run_id = await runs.create_run(as_bot, new_run, STEPS)
    assert run_id is not None
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.APPROVED], to=RunState.CANCELLED)

    events = await timeline.list_events(as_bot, number, limit=100)
    assert [event.text for event in events] == [
        f"asked for run {run_id}: {new_run.title}",
        f"cancelled: run {run_id}: {new_run.title}",
    ]
    assert [event.by for event in events] == [new_run.requested_by, None]


@pytest.mark.parametrize(
    ("of_incident", "of_run", "is_reported"),
    [
        (("dragonfly-api",), ("dragonfly-api",), True),
        (("dragonfly-worker-ingest",), ("dragonfly-api",), False),
        ((), ("dragonfly-api",), True),
        (("dragonfly-worker-ingest",), (), True),
    ],
)
async def test_a_run_belongs_to_what_is_about_its_services(
    as_bot: Connection, new_run: NewRun, of_incident: tuple[str, ...], of_run: tuple[str, ...], *, is_reported: bool
) -> None:
    number = await open_one(as_bot, *of_incident)

    await runs.create_run(as_bot, replace(new_run, services=of_run), STEPS)

    assert bool(await reported(as_bot, number)) is is_reported


async def test_a_resolved_incident_learns_nothing_more(as_bot: Connection, new_run: NewRun) -> None:
    number = await open_one(as_bot, "dragonfly-api")
    await incidents.resolve_incident(as_bot, incident_id=number, person=ANN, cause="noise")

    await runs.create_run(as_bot, new_run, STEPS)

    assert await reported(as_bot, number) == []
