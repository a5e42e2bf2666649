"""The triage of a new incident is written in order, each part once, even if a source or a replica fails in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.incidents.triage import PARTS, TriageSummary
from bot.leader import Fence, LostLeadershipError
from bot.world import World
from services.clients.postgres.pool import Connection
from services.domain.alerts import AlertChange
from services.domain.errors import SourceError
from services.domain.incidents import IncidentSeverity
from services.domain.services import Service
from tests.integration.bot.conftest import Outside, System
from tests.integration.bot.incidents.conftest import ANN, OLIVIA, Books, Scene, request

KEY = "incident:1:diagnosis"


async def open_one(scene: Scene) -> None:
    await scene.incident_service.open(
        request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV3, services=[Service.INGEST]
    )


async def reported(books: Books) -> str | None:
    return (await books.messages()).get(KEY)


@pytest.fixture
async def triage_summary(scene: Scene, world: World) -> TriageSummary:
    return TriageSummary(scene.database, world, scene.incident_store, step_s=6)


async def test_one_message_reports_all_parts_of_the_escalation_path(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    await open_one(scene)
    before = set(await books.messages())

    await triage_summary.tick(scene.fence)

    assert set(await books.messages()) - before == {KEY}
    assert (await books.incident()).briefed == len(PARTS)
    shown = await books.blocks(KEY)
    assert "Still collecting data" not in shown
    assert "ingest is down" in shown


async def test_the_cause_and_the_first_step_come_into_the_root_message(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    await open_one(scene)

    await triage_summary.tick(scene.fence)

    incident = await books.incident()
    assert incident.diagnosis is not None
    assert incident.diagnosis.startswith("ingest is down")
    assert incident.remedy is not None
    assert incident.remedy.startswith("restart ingest")
    root = await books.blocks("incident:1")
    assert f'"value": "{incident.remedy}"' in root


async def test_diagnosis_stays_without_buttons_when_the_incident_is_resolved(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    await open_one(scene)
    await triage_summary.tick(scene.fence)
    assert "restart ingest" in await books.blocks(KEY)

    await scene.incident_service.resolve(1, request(ANN), "restarted")

    shown = await books.blocks(KEY)
    assert "ingest is down" in shown
    assert '"actions"' not in shown


async def test_diagnosis_offers_no_remedy_when_its_alerts_are_resolved(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    alert = await scene.alert(AlertChange.FIRED)
    await triage_summary.tick(scene.fence)
    assert "restart ingest" in await books.blocks(KEY)

    await scene.alert(AlertChange.RESOLVED, alert, line="Resolved prod · ingest 2 of 2 alive")

    assert '"actions"' not in await books.blocks(KEY)


async def test_while_all_is_fine_and_only_watched_the_diagnosis_offers_no_remedy(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    alert = await scene.alert(AlertChange.FIRED)
    await triage_summary.tick(scene.fence)

    calm = "prod · ingest 2 of 2 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"
    await scene.alert(AlertChange.CHANGED, alert, line=calm)

    assert '"actions"' not in await books.blocks(KEY)


async def test_the_diagnosis_is_edited_as_parts_arrive(
    scene: Scene, books: Books, world: World, outside: Outside
) -> None:
    """Railway's logs are slow, and the other parts do not wait for them."""
    outside.railway_logs_may_answer.clear()
    await open_one(scene)
    slow = TriageSummary(scene.database, world, scene.incident_store, step_s=60)

    looking = asyncio.create_task(slow.tick(scene.fence))
    try:
        async with asyncio.timeout(60):
            while (await books.incident()).briefed < 1:
                await asyncio.sleep(0.02)
        assert "Still collecting data" in await books.blocks(KEY)
    finally:
        outside.railway_logs_may_answer.set()
        await looking
    assert "Still collecting data" not in await books.blocks(KEY)


async def test_many_incidents_at_once_are_read_two_at_a_time_the_worst_and_newest_first(
    scene: Scene, books: Books, world: World, outside: Outside
) -> None:
    """20 at once took all sessions of the database, and a new SEV1 waited behind all that had been opened before."""
    outside.railway_logs_may_answer.clear()
    sev1, sev3 = IncidentSeverity.SEV1, IncidentSeverity.SEV3

    async def open_another(severity: IncidentSeverity) -> None:
        await scene.incident_service.open(
            request(OLIVIA), title="No ingest", severity=severity, services=[Service.INGEST], another=True
        )

    async def until_briefed(expected: list[int]) -> None:
        """Wait until the incidents being read have all parts except the logs."""
        async with asyncio.timeout(60):
            while sum(await briefed()) < sum(expected):
                await asyncio.sleep(0.02)
        assert await briefed() == expected

    async def briefed() -> list[int]:
        incidents = await (await books.conn.execute("SELECT briefed FROM chatops.incidents ORDER BY id")).fetchall()
        return [number for (number,) in incidents]

    for severity in (sev1, sev3, sev3, sev3, sev3):
        await open_another(severity)
    slow = TriageSummary(scene.database, world, scene.incident_store, step_s=60)
    looking = asyncio.create_task(slow.tick(scene.fence))
    try:
        await until_briefed([2, 0, 0, 0, 2])
        await open_another(sev1)
        outside.railway_logs_may_answer.set()
        outside.railway_logs_may_answer.clear()
        await until_briefed([3, 0, 0, 2, 3, 2])
    finally:
        outside.railway_logs_may_answer.set()
        await looking
    assert await briefed() == [len(PARTS)] * 6


async def test_new_incident_does_not_wait_for_the_diagnosis_of_the_only_other_one(
    scene: Scene, books: Books, world: World, outside: Outside
) -> None:
    outside.railway_logs_may_answer.clear()
    await open_one(scene)
    slow = TriageSummary(scene.database, world, scene.incident_store, step_s=60)
    looking = asyncio.create_task(slow.tick(scene.fence))
    try:
        async with asyncio.timeout(60):
            while (await books.incident(1)).briefed < 2:  # all parts except the logs
                await asyncio.sleep(0.02)
            await scene.incident_service.open(
                request(OLIVIA), title="No API", severity=IncidentSeverity.SEV1, services=[Service.API], another=True
            )
            while (await books.incident(2)).briefed < 2:
                await asyncio.sleep(0.02)
        assert (await books.incident(1)).briefed == 2
    finally:
        outside.railway_logs_may_answer.set()
        await looking
    assert [(await books.incident(number)).briefed for number in (1, 2)] == [len(PARTS)] * 2


async def test_failure_of_one_incidents_diagnosis_leaves_the_others_their_own(
    scene: Scene, books: Books, triage_summary: TriageSummary, as_owner: Connection
) -> None:
    """Even where more of them fail than are read at once."""
    for _ in range(4):
        await scene.incident_service.open(
            request(OLIVIA), title="No ingest", severity=IncidentSeverity.SEV3, services=[Service.INGEST], another=True
        )
    await as_owner.execute(
        "ALTER TABLE chatops.incidents ADD CONSTRAINT unlucky CHECK (briefed = 0 OR id NOT IN (2, 3, 4))"
    )

    with pytest.raises(SourceError):
        await triage_summary.tick(scene.fence)

    assert [(await books.incident(number)).briefed for number in range(1, 5)] == [len(PARTS), 0, 0, 0]


async def test_timeline_has_the_beginning_of_an_incident_once(
    scene: Scene, books: Books, triage_summary: TriageSummary, system: System
) -> None:
    system.beat("ingest-1", ago_s=420)
    await open_one(scene)

    await triage_summary.tick(scene.fence)
    await triage_summary.tick(scene.fence)

    first, *others = await books.events()
    assert (first.kind, first.text) == ("began", "last heartbeat of ingest")
    assert "began" not in [one.kind for one in others]


async def test_a_complete_diagnosis_is_not_edited_again(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    await open_one(scene)
    await triage_summary.tick(scene.fence)
    before = await books.messages()

    await triage_summary.tick(scene.fence)

    assert await books.messages() == before


async def test_triage_reports_a_missing_source_without_waiting_for_it(
    scene: Scene, books: Books, triage_summary: TriageSummary, outside: Outside
) -> None:
    outside.railway_status = 503
    outside.api_status = 503
    await open_one(scene)

    async with asyncio.timeout(60):
        await triage_summary.tick(scene.fence)

    assert "unknown: deployments of api" in await books.blocks(KEY)


async def test_a_part_that_takes_too_long_is_reported(
    scene: Scene, books: Books, world: World, outside: Outside
) -> None:
    outside.railway_delay_s = 60
    await open_one(scene)

    await TriageSummary(scene.database, world, scene.incident_store, step_s=2).tick(scene.fence)

    assert "unknown: the doctor, no answer within 2 s" in await books.blocks(KEY)


@pytest.mark.parametrize("done", range(len(PARTS)))
async def test_a_successor_reads_all_parts_and_ends_what_its_predecessor_began(
    scene: Scene, books: Books, triage_summary: TriageSummary, done: int
) -> None:
    await open_one(scene)
    await books.conn.execute("UPDATE chatops.incidents SET briefed = %s", [done])

    await triage_summary.tick(scene.fence)

    assert "Still collecting data" not in await books.blocks(KEY)
    assert (await books.incident()).briefed == len(PARTS)


async def test_triage_is_not_repeated_after_the_former_versions_six_messages(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    await open_one(scene)
    await books.conn.execute("UPDATE chatops.incidents SET briefed = 6")

    await triage_summary.tick(scene.fence)

    assert await reported(books) is None


async def test_two_at_the_same_time_report_it_once(scene: Scene, books: Books, world: World) -> None:
    await open_one(scene)
    both = [TriageSummary(scene.database, world, scene.incident_store) for _ in range(2)]

    await asyncio.gather(*(one.tick(scene.fence) for one in both))

    assert (await books.incident()).briefed == len(PARTS)
    assert [key for key in await books.messages() if "diagnosis" in key] == [KEY]


async def test_nothing_is_reported_once_it_is_resolved_or_another_person_leads(
    scene: Scene, books: Books, triage_summary: TriageSummary
) -> None:
    await open_one(scene)
    with pytest.raises(LostLeadershipError):
        await triage_summary.tick(replace(scene.fence, epoch=scene.fence.epoch + 1))
    await scene.incident_service.resolve(1, request(ANN), "noise")

    await triage_summary.tick(Fence("test", scene.fence.epoch))

    assert await reported(books) is None
