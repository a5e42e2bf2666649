"""Effects of alerts on incidents: open, join, change, cancel pages; only a person resolves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.clients.postgres import incident_alerts, incidents
from services.domain.alerts import AlertChange, KnownCause, Severity
from services.domain.incidents import IncidentSeverity, IncidentState
from services.domain.services import Service
from tests.integration.bot.incidents.conftest import ANN, LINE, Books, Scene, request

FIRED, CHANGED, RESOLVED = AlertChange.FIRED, AlertChange.CHANGED, AlertChange.RESOLVED
OVER = "Resolved dev · ingest 2 of 2 alive"


async def test_a_page_opens_an_incident_that_reports_what_the_alert_reports(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED)

    incident = await books.incident()
    assert (incident.state, incident.severity) == (IncidentState.OPEN, IncidentSeverity.SEV2)
    assert (incident.title, incident.services) == ("ingest is down (0 of 2)", (Service.INGEST,))
    assert (incident.opened_at - incident.since).total_seconds() > 300
    message = (await books.messages())["incident:1"]
    assert message.startswith("🔴 ingest is down (0 of 2) since ")
    assert "last 6 min ago" in await books.blocks("incident:1")
    assert await books.notifications() == {"incident:1:page:1:webhook:ann", "incident:1:page:1:email:ann"}
    assert [one.alert_id for one in await incident_alerts.list_joined_alerts(books.conn, 1)] == [alert]


async def test_notification_subject_is_the_page_line(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED)

    row = await (
        await books.conn.execute("SELECT subject, text, thread_key FROM chatops.notifications LIMIT 1")
    ).fetchone()
    assert row is not None
    assert row[0].startswith("PAGE dev · ingest is down (0 of 2) since ")
    assert "incident ack 1" in row[1]
    assert row[1].startswith("last 6 min ago")  # the text does not repeat the subject
    assert row[2] == "incident:1"


async def test_a_cause_that_is_known_by_then_heads_the_page_everywhere(scene: Scene, books: Books) -> None:
    cause = KnownCause("deploy e9a70d3b of ingest crashes at start", datetime.now(UTC), "rollback ingest")

    await scene.alert(FIRED, cause=cause, deployed_at=cause.since)

    sent = await (await books.conn.execute("SELECT subject FROM chatops.notifications")).fetchall()
    messages = await books.messages()
    assert {subject.partition(" since ")[0] for (subject,) in sent} == {f"PAGE dev · {cause.title}"}
    assert messages["incident:1"].startswith(f"🔴 {cause.title} since ")
    assert '"style": "primary", "value": "rollback ingest"' in await books.blocks("incident:1")


async def test_incident_is_diagnosed_again_when_its_alert_fires_again(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED, cause=KnownCause("deploy e9a70d3b of ingest crashes at start"))
    await incidents.note_briefed(books.conn, incident_id=1, part=1)
    await scene.alert(RESOLVED, alert, line=OVER)
    assert (await books.incident()).diagnosis is not None

    await scene.alert(FIRED, alert)

    incident = await books.incident()
    assert (incident.diagnosis, incident.remedy, incident.briefed) == (None, None, 0)


async def test_without_the_api_or_the_database_it_is_of_the_highest_severity(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED, service=Service.API, fingerprint="api")
    await scene.alert(FIRED, service=None, fingerprint="database", message_key="alert:2")

    assert [(await books.incident(number)).severity for number in (1, 2)] == [IncidentSeverity.SEV1] * 2


async def test_alert_of_severity_notify_opens_no_incident(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED, severity=Severity.NOTIFY)

    assert await books.messages() == {}


async def test_another_alert_of_the_same_service_joins_and_pages_no_one_again(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED)
    await scene.alert(FIRED, fingerprint="queue.backlog", line="PAGE dev · oldest job waits 20 min")

    assert (await books.incident()).pages == 1
    assert await books.kinds() == ["opened", "called", "joined"]
    assert "oldest job waits 20 min" in await books.blocks("incident:1")
    assert not [key for key, text in (await books.messages()).items() if "also firing" in text]


async def test_a_page_pages_people_although_a_minor_incident_of_its_service_is_open(scene: Scene, books: Books) -> None:
    await scene.incident_service.open(
        request(ANN), title="amounts look odd", severity=IncidentSeverity.SEV3, services=[Service.INGEST.value]
    )
    assert await books.notifications() == set()

    await scene.alert(FIRED)

    assert (await books.incident(2)).severity is IncidentSeverity.SEV2
    assert await books.notifications() == {"incident:2:page:1:webhook:ann", "incident:2:page:1:email:ann"}


async def test_alert_that_joins_is_noted_in_the_thread_once_an_incident_is_acknowledged(
    scene: Scene, books: Books
) -> None:
    await scene.alert(FIRED)
    await scene.alert(FIRED, fingerprint="queue.backlog", message_key="alert:2", line="PAGE dev · oldest job waits")

    assert "oldest job waits" in await books.blocks("incident:1")
    assert not [text for text in (await books.messages()).values() if text.startswith("also firing")]
    await scene.incident_service.acknowledge(1, request(ANN))

    await scene.alert(FIRED, fingerprint="workers.ingest", message_key="alert:3")

    assert [text for text in (await books.messages()).values() if text.startswith("also firing")]


async def test_an_alert_opens_an_incident_when_it_becomes_a_page(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED, severity=Severity.NOTIFY)
    await scene.alert(CHANGED, alert, severity=Severity.PAGE)

    assert (await books.incident()).state is IncidentState.OPEN


async def test_incident_message_follows_a_changed_alert(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED)
    await scene.alert(CHANGED, alert, line="PAGE dev · ingest 1 of 2 alive")

    assert (await books.messages())["incident:1"].startswith("🔴 ingest 1 of 2 alive since ")
    assert (await books.incident()).pages == 1


async def test_the_end_of_the_alert_stops_the_calls_and_leaves_it_open(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED)
    await scene.alert(RESOLVED, alert, line=OVER)
    await books.make_due()
    await scene.escalation.tick(scene.fence)

    incident = await books.incident()
    assert (incident.state, incident.pages) == (IncidentState.OPEN, 1)
    assert incident.cleared_at is not None
    assert await books.notifications() == set()
    message = (await books.messages())["incident:1"]
    assert message.startswith("🟢 *CLEARED*")
    assert "<@" not in message  # as in that of an incident that a person is to resolve
    assert "2 of 2" in message
    assert "reminded" in await books.kinds()


async def test_incident_is_not_cleared_while_another_of_its_alerts_fires(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED)
    await scene.alert(FIRED, fingerprint="queue.backlog")
    await scene.alert(RESOLVED, alert, line=OVER)

    assert (await books.incident()).cleared_at is None
    assert await books.notifications() != set()


async def test_the_end_of_several_alerts_is_written_to_the_thread_once_with_the_last(
    scene: Scene, books: Books
) -> None:
    first = await scene.alert(FIRED)
    second = await scene.alert(FIRED, fingerprint="crash_loop.ingest", message_key="alert:2")

    await scene.alert(RESOLVED, first, line=OVER)

    assert await books.thread("alert over") == []
    assert (await books.kinds())[-1] == "cleared"  # the timeline has one per alert

    await scene.alert(
        RESOLVED, second, line="Resolved dev · ingest is no longer crashing", fingerprint="crash_loop.ingest"
    )

    assert await books.thread("alert over") == ["alert over: ingest is no longer crashing (dev)"]


@pytest.mark.parametrize(("before", "after"), [("crash_loop", "heartbeats"), ("heartbeats", "crash_loop")])
async def test_a_crash_and_missing_workers_are_one_outage_to_its_owner(
    before: str, after: str, scene: Scene, books: Books
) -> None:
    await scene.alert(FIRED, fingerprint=f"{before}.ingest")
    await scene.incident_service.acknowledge(1, request(ANN))

    await scene.alert(FIRED, fingerprint=f"{after}.ingest", message_key="alert:2", line="PAGE dev · seen the other way")

    assert "seen the other way" not in await books.blocks("incident:1")
    assert await books.thread("also firing") == []


async def test_a_crash_that_returns_while_workers_are_missing_is_written_to_the_thread(
    scene: Scene, books: Books
) -> None:
    await scene.alert(FIRED)
    await scene.incident_service.acknowledge(1, request(ANN))
    crash: dict[str, Any] = {"fingerprint": "crash_loop.ingest", "message_key": "alert:2"}
    crashed = await scene.alert(FIRED, **crash)
    await scene.alert(RESOLVED, crashed, **crash)

    await scene.alert(FIRED, again=True, **crash)

    assert len(await books.thread("also firing")) == 1


async def test_both_halves_of_an_outage_that_came_back_are_announced_once(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED, fingerprint="crash_loop.ingest", again=True)

    await scene.alert(FIRED, message_key="alert:2", again=True)

    assert await books.thread("also firing") == []


async def test_an_alert_that_fires_again_calls_from_the_first_level_on(scene: Scene, books: Books) -> None:
    first = await scene.alert(FIRED)
    await books.make_due()
    await scene.escalation.tick(scene.fence)
    await scene.alert(RESOLVED, first, line=OVER)

    await scene.alert(FIRED)

    incident = await books.incident()
    assert (incident.pages, incident.next_level, incident.cleared_at) == (3, 1, None)
    assert await books.notifications() == {"incident:1:page:3:webhook:ann", "incident:1:page:3:email:ann"}


async def test_a_flapping_alert_pages_later_and_not_at_once(scene: Scene, books: Books) -> None:
    first = await scene.alert(FIRED)
    await scene.alert(RESOLVED, first, line=OVER)

    await scene.alert(FIRED, again=True)

    incident = await books.incident()
    assert (incident.pages, incident.cleared_at) == (1, None)
    await books.make_due()
    await scene.escalation.tick(scene.fence)
    assert (await books.incident()).pages == 2


async def test_a_silenced_alert_pages_no_one_until_its_silence_has_ended(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED)

    await scene.alert(CHANGED, alert, silenced=True)

    incident = await books.incident()
    assert (incident.state, incident.pages, incident.due_at) == (IncidentState.OPEN, 1, None)
    assert await books.notifications() == set()
    await scene.alert(FIRED, alert, again=True)
    await books.make_due()
    await scene.escalation.tick(scene.fence)
    assert (await books.incident()).pages == 2


async def test_a_silence_of_one_of_its_alerts_leaves_the_others_loud(scene: Scene, books: Books) -> None:
    alert = await scene.alert(FIRED)
    await scene.alert(FIRED, fingerprint="backlog")

    await scene.alert(CHANGED, alert, silenced=True)

    assert (await books.incident()).due_at is not None
    assert await books.notifications() != set()


async def test_alerts_that_share_a_message_share_an_incident(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED)
    await scene.alert(FIRED, fingerprint="heartbeats.enforcement", service=Service.ENFORCEMENT)

    assert (await books.incident()).pages == 1
    assert "incident:2" not in await books.messages()


async def test_an_alert_that_fires_again_pages_no_one_while_the_incident_is_acknowledged(
    scene: Scene, books: Books
) -> None:
    first = await scene.alert(FIRED)
    await scene.incident_service.acknowledge(1, request(ANN))
    await scene.alert(RESOLVED, first, line=OVER)

    await scene.alert(FIRED)

    incident = await books.incident()
    assert (incident.state, incident.pages) == (IncidentState.ACKNOWLEDGED, 1)


async def test_after_the_end_a_new_alert_opens_a_new_incident_and_an_old_one_changes_nothing(
    scene: Scene, books: Books
) -> None:
    alert = await scene.alert(FIRED)
    await scene.incident_service.resolve(1, request(ANN), "restarted")
    ended = await books.incident()

    await scene.alert(CHANGED, alert, line="PAGE dev · ingest 1 of 2 alive")
    await scene.alert(RESOLVED, alert, line=OVER)
    await scene.alert(FIRED)

    assert await books.incident() == ended
    assert (await books.incident(2)).state is IncidentState.OPEN


async def test_an_alert_that_returns_while_it_is_watched_pages_anew_once_its_incident_is_resolved(
    scene: Scene, books: Books
) -> None:
    """Nothing else would page: to the evaluator it still fires, and the incident is resolved. A silence suppresses it
    as always, and so does a severity that can wait for business hours."""
    calm = "dev · ingest 2 of 2 alive · fine since 10:15 UTC, watched until 10:45 UTC because it fired again before"
    alert = await scene.alert(FIRED)
    other = await scene.alert(FIRED, fingerprint="crash_loop.ingest")
    await scene.incident_service.resolve(1, request(ANN), "restarted")
    for one in (alert, other):
        await scene.alert(CHANGED, one, line=LINE)  # it still fires, as the person who resolved it knew
    assert len(await incidents.list_open_incidents(books.conn)) == 0
    held = {"silenced": True}, {"severity": Severity.NOTIFY}
    for why in held:
        await scene.alert(CHANGED, other, line=calm)
        await scene.alert(CHANGED, other, fingerprint="crash_loop.ingest", **why)
    await scene.alert(CHANGED, alert, line=calm)
    assert len(await incidents.list_open_incidents(books.conn)) == 0
    await scene.alert(CHANGED, alert)
    await scene.alert(CHANGED, alert)

    [incident] = await incidents.list_open_incidents(books.conn)
    assert (incident.id, incident.pages) == (2, 1)
    assert (incident.opened_at - incident.since).total_seconds() < 120  # not since the alert began 6 min ago
    assert "incident:2:page:1:webhook:ann" in await books.notifications()
    assert [one.alert_id for one in await incident_alerts.list_joined_alerts(books.conn, 2)] == [alert]


async def test_hostile_words_of_an_alert_come_out_as_words(scene: Scene, books: Books) -> None:
    await scene.alert(FIRED, line="PAGE <!channel> ```<https://evil|good>", title="<!here>")
    await scene.sender.flush(scene.fence)

    assert all("<!channel>" not in text and "<https" not in text for text in (await books.messages()).values())
    assert await books.unsent() == set()
