"""Actions of people on an incident: each happens once, is announced, and nothing follows the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.approvals.access import Refused
from bot.approvals.severities import read_emergencies
from bot.incidents.acts import Done, Joined, Outcome
from bot.oncall.overrides import Desired
from bot.types import Actor
from services.clients.postgres.notifications import end_notification
from services.clients.postgres.pool import Connection
from services.domain.errors import DoneError, OperatorError, SourceError, UsageError
from services.domain.incidents import IncidentSeverity, IncidentState, MarkedMessage
from services.domain.notifications import NotificationState
from services.domain.people import Person
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.model import Message
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.incidents.conftest import ANN, BEN, OLIVIA, OTTO, TEAM, Books, Scene, request
from tests.outside import QUIET_S, until
from tests.scheduling import leading

FIRST = {"incident:1:page:1:webhook:ann", "incident:1:page:1:email:ann"}
PAUSES_S = (0.0, 0.1, 0.4, 0.7, 1.2)
LAST = len(PAUSES_S)
DIRECT = f"incident:1:page:1:direct:{model.ANN.id}"


async def open_one(
    scene: Scene, actor: Actor | None = OLIVIA, *, delivery: str | None = None, **changes: object
) -> Outcome:
    given: dict[str, object] = {"title": "No ingest", "severity": IncidentSeverity.SEV2, "services": [Service.INGEST]}
    return await scene.incident_service.open(replace(request(actor), delivery=delivery), **(given | changes))  # type: ignore[arg-type]


async def test_opening_calls_the_first_level_by_every_means_at_once(scene: Scene, books: Books) -> None:
    outcome = await open_one(scene)

    assert isinstance(outcome, Done)
    messages = await books.messages()
    assert list(messages) == ["incident:1", "incident:1:page:1", DIRECT]
    assert messages["incident:1"].startswith("🔴 No ingest")
    assert f"<@{model.ANN.id}>" in messages["incident:1:page:1"]
    assert await books.notifications() == FIRST
    assert await books.kinds() == ["opened", "called"]
    assert await books.audit() == ["incident.opened"]
    incident = await books.incident()
    assert (incident.pages, incident.next_level, incident.opened_by) == (1, 1, Person(OLIVIA.user_id, TEAM))


async def test_a_second_report_about_a_service_joins_the_incident_that_is_open(scene: Scene, books: Books) -> None:
    await open_one(scene)

    outcome = await open_one(scene, OTTO, title="uploads hang")

    assert isinstance(outcome, Joined)
    assert outcome.incident.id == 1
    assert await books.kinds() == ["opened", "called", "reported"]
    assert await books.audit() == ["incident.opened", "incident.reported"]
    assert "uploads hang" in str(await books.messages())
    assert await books.notifications() == FIRST


async def test_reports_of_two_people_in_one_moment_are_one_incident(scene: Scene, books: Books) -> None:
    outcomes = await asyncio.gather(*(open_one(scene, actor) for actor in (OLIVIA, OTTO, BEN)))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Done", "Joined", "Joined"]
    assert (await books.kinds()).count("opened") == 1


@pytest.mark.parametrize(
    "other",
    [
        {"severity": IncidentSeverity.SEV1},  # the open incident pages fewer people than this report would
        {"services": [Service.API]},
        {"services": []},
        {"another": True},
    ],
)
async def test_report_of_a_possibly_different_problem_opens_its_own_incident(
    scene: Scene, other: dict[str, Any]
) -> None:
    await open_one(scene)

    outcome = await open_one(scene, OTTO, **other)

    assert isinstance(outcome, Done)
    assert outcome.incident.id == 2


async def test_a_person_without_the_right_to_manage_incidents_opens_three_in_a_row(scene: Scene, books: Books) -> None:
    """Each incident pages people: a flood of them would hold up the page that counts."""
    opened = await asyncio.gather(*(open_one(scene, OTTO, title=f"bogus {n}", another=True) for n in range(8)))

    assert sum(isinstance(one, Done) for one in opened) == 3
    refused = [one for one in opened if isinstance(one, Refused)]
    assert len(refused) == 5
    assert "(1, 2, 3)" in refused[0].why
    pages = [key for key in await books.messages() if key.endswith(":page:1")]
    assert pages == [f"incident:{n}:page:1" for n in (1, 2, 3)]
    assert (await books.audit()).count("incident.opened.refused") == 1  # one row for the whole flood

    assert isinstance(await open_one(scene, OTTO), Joined)  # pages no one
    for person in (OLIVIA, BEN, None):  # they may manage incidents; None is the terminal
        assert isinstance(await open_one(scene, person, another=True), Done)


async def test_the_last_incident_that_a_person_may_open_is_reported_as_opened_to_the_repeated_delivery(
    scene: Scene, books: Books
) -> None:
    for n in range(3):
        await open_one(scene, OTTO, delivery=f"trigger:{n}", another=True)

    with pytest.raises(DoneError):
        await open_one(scene, OTTO, delivery="trigger:2", another=True)

    assert (await books.audit()).count("incident.opened") == 3
    assert "incident.opened.refused" not in await books.audit()


async def test_a_person_who_may_be_on_call_opens_any_number_while_a_groups_members_are_unknown(
    scene: Scene, workspace: Workspace
) -> None:
    """They were refused as if they held no right."""
    workspace.faults.plant("usergroups.users.list", FaultKind.SERVER_ERROR, times=100)

    opened = [await open_one(scene, OLIVIA, another=True) for _ in range(4)]

    assert [type(one) for one in opened] == [Done] * 4


async def test_incidents_that_are_dated_ahead_by_a_clock_that_stepped_back_count_against_no_one(
    scene: Scene, as_owner: Connection
) -> None:
    for _ in range(3):
        assert isinstance(await open_one(scene, OTTO, another=True), Done)
    await as_owner.execute("UPDATE chatops.incidents SET opened_at = opened_at + interval '1 hour' WHERE id = 1")
    await as_owner.commit()

    assert isinstance(await open_one(scene, OTTO, another=True), Done)
    assert isinstance(await open_one(scene, OTTO, another=True), Refused)


async def test_taking_it_on_ends_the_calls_and_withdraws_what_was_not_sent(scene: Scene, books: Books) -> None:
    await open_one(scene)

    outcome = await scene.incident_service.acknowledge(1, request(BEN))

    assert isinstance(outcome, Done)
    incident = await books.incident()
    assert (incident.state, incident.acknowledged_by) == (IncidentState.ACKNOWLEDGED, Person(BEN.user_id, TEAM))
    assert await books.notifications("cancelled") == FIRST
    messages = await books.messages()
    assert list(messages) == ["incident:1"]  # which names the owner
    assert f"*ACKNOWLEDGED* by <@{model.BEN.id}>" in messages["incident:1"]


async def test_a_call_that_was_sent_reports_that_nothing_is_asked_any_more(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await scene.sender.flush(scene.fence)

    await scene.incident_service.acknowledge(1, request(BEN))

    assert (await books.messages())[DIRECT].startswith("🟡 *ACKNOWLEDGED*")
    assert "Acknowledge" not in await books.blocks(DIRECT)


async def test_a_ringing_pager_gets_the_acknowledgement_and_the_resolution(scene: Scene, books: Books) -> None:
    await open_one(scene)
    pager, mailbox = "incident:1:page:1:webhook:ann", "incident:1:page:1:email:ann"
    for key in (pager, mailbox):
        await end_notification(books.conn, key=key, state=NotificationState.SENT)

    await scene.incident_service.acknowledge(1, request(BEN))
    assert await books.notifications() == {f"{pager}:acknowledged"}

    await scene.incident_service.resolve(1, request(BEN), "a bad deploy")
    assert await books.notifications() == {f"{pager}:resolved"}
    assert await books.notifications("cancelled") == {f"{pager}:acknowledged"}


async def test_a_takeover_is_reported_and_a_second_acknowledgement_resets_the_reminder(
    scene: Scene, books: Books
) -> None:
    await open_one(scene)
    await scene.incident_service.acknowledge(1, request(BEN))
    first = await books.incident()

    await scene.incident_service.acknowledge(1, request(BEN))
    again = await books.incident()
    await scene.incident_service.acknowledge(1, request(ANN))

    assert (await books.kinds())[2:] == ["acknowledged", "active", "acknowledged"]
    assert (await books.events())[-1].text == "took over"
    assert first.due_at is not None
    assert again.due_at is not None
    assert again.due_at > first.due_at
    assert (await books.incident()).acknowledged_by == Person(ANN.user_id, TEAM)


async def test_escalating_calls_the_next_level_also_when_a_person_has_it(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await scene.incident_service.acknowledge(1, request(ANN))

    outcome = await scene.incident_service.escalate(1, request(ANN))

    assert isinstance(outcome, Done)
    assert outcome.words == "Level 2 (ben) is paged."
    assert (await books.incident()).state is IncidentState.OPEN
    assert await books.notifications() == {"incident:1:page:2:webhook:ben"}


async def test_resolving_ends_it_with_its_cause_and_nothing_is_left_to_send(scene: Scene, books: Books) -> None:
    await open_one(scene)

    outcome = await scene.incident_service.resolve(1, request(ANN), "a bad deploy")

    assert isinstance(outcome, Done)
    incident = await books.incident()
    assert (incident.state, incident.cause, incident.due_at) == (IncidentState.RESOLVED, "a bad deploy", None)
    assert await books.notifications() == set()
    assert [key for key in await books.messages() if ":page:" in key] == []
    assert (await books.messages())["incident:1"].startswith("✅ *RESOLVED* · No ingest")
    assert await books.audit() == ["incident.opened", "incident.resolved"]


async def test_resolved_incident_refuses_every_further_act(scene: Scene, books: Books) -> None:
    await open_one(scene)
    await scene.incident_service.resolve(1, request(ANN), "a bad deploy")
    ended = await books.incident()

    late = [
        await scene.incident_service.acknowledge(1, request(BEN)),
        await scene.incident_service.escalate(1, request(BEN)),
        await scene.incident_service.resolve(1, request(BEN), "something else"),
        await scene.incident_service.change_severity(1, request(BEN), IncidentSeverity.SEV1),
    ]

    assert all(isinstance(outcome, Refused) and "is resolved" in outcome.why for outcome in late)
    assert await books.incident() == ended


async def test_a_minor_incident_pages_no_one_until_its_severity_is_raised(scene: Scene, books: Books) -> None:
    await open_one(scene, severity=IncidentSeverity.SEV3)
    assert list(await books.messages()) == ["incident:1"]

    await scene.incident_service.change_severity(1, request(OLIVIA), IncidentSeverity.SEV1)
    assert await books.notifications() == FIRST

    await scene.incident_service.change_severity(1, request(OLIVIA), IncidentSeverity.SEV3)
    assert await books.notifications() == set()
    assert (await books.messages())["incident:1"].startswith("🔵 *OPEN*")


async def test_a_severity_that_a_person_raised_counts_for_them_once_another_person_acknowledges_it(
    scene: Scene, as_bot: Connection
) -> None:
    """For rules about a severity, and for emergency self-approval."""
    await open_one(scene, severity=IncidentSeverity.SEV3)  # by Olivia
    await scene.incident_service.change_severity(1, request(BEN), IncidentSeverity.SEV1)

    async def severities() -> list[IncidentSeverity | None]:
        [one] = await read_emergencies(as_bot)
        return [one.severity_for(Person(actor.user_id, actor.team_id)) for actor in (OLIVIA, BEN)]

    assert await severities() == [IncidentSeverity.SEV1, IncidentSeverity.SEV3]
    await scene.incident_service.acknowledge(1, request(BEN))
    assert await severities() == [IncidentSeverity.SEV1, IncidentSeverity.SEV3]
    await scene.incident_service.acknowledge(1, request(OLIVIA))
    await scene.incident_service.acknowledge(1, request(BEN))
    assert await severities() == [IncidentSeverity.SEV1, IncidentSeverity.SEV1]


async def test_people_are_those_of_the_moment_when_it_was_opened(scene: Scene, books: Books) -> None:
    await open_one(scene)
    scene.reschedule(None, approvers=(model.BEN.id,))

    await scene.incident_service.escalate(1, request(OLIVIA))

    assert "incident:1:page:2:webhook:ben" in await books.notifications()


async def test_without_an_on_call_file_the_approvers_are_mentioned(scene: Scene, books: Books) -> None:
    scene.reschedule(None, approvers=(model.APPROVERS.id,))

    await open_one(scene)

    assert f"<!subteam^{model.APPROVERS.id}>" in (await books.messages())["incident:1:page:1"]
    assert await books.notifications() == set()


async def test_without_anyone_to_call_the_message_reports_so(scene: Scene, books: Books) -> None:
    scene.reschedule(None)

    await open_one(scene)
    outcome = await scene.incident_service.escalate(1, request(OLIVIA))

    assert "No one could" in await books.blocks("incident:1")
    assert isinstance(outcome, Refused)


# Permissions


async def test_everyone_of_ours_may_raise_the_alarm_and_a_terminal_too(scene: Scene) -> None:
    assert isinstance(await open_one(scene, OTTO), Done)
    assert isinstance(await open_one(scene, None, services=[Service.API]), Done)


async def test_a_person_of_another_workspace_may_nothing(scene: Scene, books: Books) -> None:
    stranger = Actor(model.ANN.id, "T0OTHER")

    assert isinstance(await open_one(scene, stranger), Refused)
    await open_one(scene)
    assert isinstance(await scene.incident_service.acknowledge(1, request(stranger)), Refused)
    assert (await books.incident()).state is IncidentState.OPEN
    refusals = [event for event in await books.audit() if event.endswith(".refused")]
    assert refusals == ["incident.opened.refused", "incident.acknowledged.refused"]


async def test_incident_acts_are_refused_to_people_neither_listed_nor_on_call(scene: Scene, books: Books) -> None:
    await open_one(scene)

    acts = [
        *[await scene.incident_service.acknowledge(1, request(OTTO)) for _ in range(10)],
        await scene.incident_service.resolve(1, request(OTTO), "nothing to see"),
        await scene.incident_service.escalate(1, request(OTTO)),
    ]

    assert all(isinstance(outcome, Refused) for outcome in acts)
    assert (await books.incident()).state is IncidentState.OPEN
    refusals = [event for event in await books.audit() if event.endswith(".refused")]
    assert refusals == [f"incident.{act}.refused" for act in ("acknowledged", "resolved", "escalated")]


async def test_a_refusal_whose_transaction_failed_is_recorded_with_the_next_one(
    scene: Scene, books: Books, as_owner: Connection
) -> None:
    await open_one(scene)

    async def refuse() -> Sequence[object]:
        service, otto = scene.incident_service, request(OTTO)
        desired = Desired("primary", model.OTTO.id, datetime.now(UTC) + timedelta(hours=2))
        acts = (service.acknowledge(1, otto), service.on_call.override(otto, desired))
        return await asyncio.gather(*acts, return_exceptions=True)

    await as_owner.execute("ALTER TABLE chatops.audit RENAME TO audit_away")
    assert all(isinstance(one, SourceError) for one in await refuse())
    await as_owner.execute("ALTER TABLE chatops.audit_away RENAME TO audit")
    assert all(isinstance(one, Refused) for one in await refuse())

    refusals = [event for event in await books.audit() if event.endswith(".refused")]
    assert sorted(refusals) == ["incident.acknowledged.refused", "oncall.override.refused"]


async def test_no_one_acknowledges_on_a_terminal(scene: Scene) -> None:
    await open_one(scene)

    with pytest.raises(OperatorError, match="identify you"):
        await scene.incident_service.acknowledge(1, request(None))


async def test_acknowledge_fails_when_the_incident_does_not_exist(scene: Scene) -> None:
    with pytest.raises(UsageError, match="no incident 1"):
        await scene.incident_service.acknowledge(1, request(ANN))


async def test_hostile_words_come_out_as_words(scene: Scene, books: Books) -> None:
    evil = "<!channel> `x` *bold* <https://evil|good>\n```" + "\N{RIGHT-TO-LEFT OVERRIDE}" + "A" * 5000

    await open_one(scene, title=evil)
    await scene.incident_service.acknowledge(1, request(ANN))
    await scene.incident_service.resolve(1, request(ANN), evil)
    await scene.sender.flush(scene.fence)

    for text in (await books.messages()).values():
        assert "<!channel>" not in text
        assert "<https://evil" not in text
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
        assert len(text) < 4000
    assert await books.unsent() == set()


# Marked messages and substitutes


def posted(ts: str, text: str = "it was the pool") -> MarkedMessage:
    return MarkedMessage(model.INCIDENTS_ID, ts, model.BEN.id, text)


async def test_a_marked_message_of_the_thread_is_in_the_timeline_until_the_mark_is_gone(
    scene: Scene, books: Books
) -> None:
    await open_one(scene)
    await scene.sender.flush(scene.fence)
    (root,) = await (await books.conn.execute("SELECT ts FROM chatops.outbox WHERE key = 'incident:1'")).fetchall()

    await scene.incident_service.mark(root[0], posted("1764000000.000100", "it was `Jane Roe`"), is_marked=True)
    await scene.incident_service.mark(root[0], posted("1764000000.000100"), is_marked=True)
    await scene.incident_service.mark("1.1", posted("1764000000.000200"), is_marked=True)  # somewhere else

    (marked,) = [event for event in await books.events() if event.kind == "marked"]
    assert marked.text == "it was …"
    assert marked.by == Person(model.BEN.id, TEAM)
    assert marked.happened_at.timestamp() == pytest.approx(1764000000.0001)
    await scene.incident_service.mark(root[0], posted("1764000000.000100"), is_marked=False)
    assert "marked" not in await books.kinds()


async def test_an_incident_that_is_opened_from_a_message_has_it_in_its_timeline(scene: Scene, books: Books) -> None:
    await open_one(scene, source=posted("1764000000.000100"))

    assert (await books.events())[0].text == "it was the pool"


# Races


async def test_of_a_resolve_and_the_next_call_in_the_same_instant_nothing_is_left_to_send(
    scene: Scene, books: Books
) -> None:
    for number in range(1, 31):
        await open_one(scene, None)  # a person would soon be refused
        await books.make_due(number)

        await asyncio.gather(
            scene.incident_service.resolve(number, request(ANN), "noise"), scene.escalation.tick(scene.fence)
        )

        assert await books.notifications() == set()
        assert [key for key in await books.unsent() if ":page:" in key] == []


async def test_simultaneous_acknowledgement_takes_over_from_the_first(scene: Scene, books: Books) -> None:
    await open_one(scene)

    await asyncio.gather(*[scene.incident_service.acknowledge(1, request(actor)) for actor in (ANN, BEN)])

    texts = [event.text for event in await books.events() if event.kind == "acknowledged"]
    assert [text == "took over" for text in texts] == [False, True]


async def test_after_a_resolve_slack_is_asked_to_post_no_call(
    scene: Scene,
    workspace: Workspace,
) -> None:
    """Whenever the resolve comes: before the sender, in the middle of a slow post, or after it."""
    ended: dict[int, float] = {}
    async with leading(scene.fence, *scene.sender.tasks):
        for number, pause_s in enumerate(PAUSES_S, start=1):
            workspace.faults.plant("chat.postMessage", FaultKind.SLOW, times=3, seconds=0.3)
            await open_one(scene, title=f"Number {number}.")
            await asyncio.sleep(pause_s)
            if number == LAST:
                await until(lambda: any(_pages_people(message) for message in workspace.messages))
            await scene.incident_service.resolve(number, request(ANN), "noise")
            ended[number] = time.time()
        await asyncio.sleep(QUIET_S)

    calls = [message for message in workspace.messages if _pages_people(message)]
    assert calls
    for number, at in ended.items():
        late = [message.metadata for message in calls if float(message.ts) > at]
        assert [metadata for metadata in late if f"incident:{number}:" in str(metadata)] == []


def _pages_people(message: Message) -> bool:
    """True for messages that page: the one in the incident's thread and the direct ones, not the root message."""
    return "📟" in message.text or message.channel.startswith("D")
