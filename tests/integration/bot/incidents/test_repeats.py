"""A person's repeated answers flood no thread, timeline or phone; a different answer is never lost."""

from __future__ import annotations

import pytest

from bot.approvals.access import Refused
from bot.approvals.severities import read_emergencies
from bot.incidents.acts import Done, Joined, Outcome
from bot.incidents.repeated_lines import FOLDED_LIMIT, LINES_AT_ONCE
from bot.incidents.todos import NewTodo
from bot.oncall.overrides import Desired
from bot.repeats import MOST
from bot.types import Actor
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import read_clock
from services.domain.incidents import IncidentSeverity, IncidentState
from services.domain.people import Person
from tests.integration.bot.incidents.conftest import ANN, BEN, OLIVIA, OTTO, Books, Scene, request
from tests.integration.bot.incidents.test_service import open_one

TIMES = 120


async def report(scene: Scene, title: str, by: Actor = OTTO) -> Outcome:
    return await open_one(scene, by, title=title)


async def reports(books: Books) -> list[str]:
    return [event.words for event in await books.events() if event.kind == "reported"]


async def thread_of(books: Books) -> list[str]:
    return [text for key, text in (await books.messages()).items() if key.startswith("incident:1:event:")]


async def test_reports_of_one_person_are_a_few_lines_that_hold_each_different_text(scene: Scene, books: Books) -> None:
    await open_one(scene)

    outcomes = [await report(scene, f"{n} hangs") for n in range(30)]

    lines = await reports(books)
    assert len(lines) == LINES_AT_ONCE
    assert lines[0] == "reports: 0 hangs"
    assert lines[-1].startswith("(26 times) reports: 4 hangs · 5 hangs · 6 hangs")
    assert all(f"{n} hangs" in " ".join(lines) for n in range(30))
    assert len(await thread_of(books)) == LINES_AT_ONCE
    assert "(26 times)" in (await thread_of(books))[-1]
    assert [one.is_repeated for one in outcomes if isinstance(one, Joined)] == [False] * 5 + [True] * 25


async def test_the_same_report_again_and_again_is_one_line_with_its_number(scene: Scene, books: Books) -> None:
    await open_one(scene)

    for _ in range(TIMES):
        assert isinstance(await report(scene, "uploads hang"), Joined)

    assert (await reports(books))[-1] == f"({TIMES - LINES_AT_ONCE + 1} times) reports: uploads hang"
    assert len(await reports(books)) == LINES_AT_ONCE


async def test_what_an_earlier_line_of_the_same_person_reports_is_not_added_again(scene: Scene, books: Books) -> None:
    await open_one(scene)

    for n in range(20):
        await report(scene, f"{n % 6} hangs")

    assert (await reports(books))[-1] == "(16 times) reports: 4 hangs · 5 hangs"


async def test_a_report_that_finds_no_room_is_refused_and_says_where_to_write_it(scene: Scene, books: Books) -> None:
    await open_one(scene)

    outcomes = [await report(scene, f"{n} {'x' * 200}") for n in range(TIMES)]

    refused = [one for one in outcomes if isinstance(one, Refused)]
    assert "was not added" in refused[0].why
    assert "thread" in refused[0].what_next
    assert max(map(len, await reports(books))) < FOLDED_LIMIT + 20
    assert (await books.audit()).count("incident.reported.refused") == 1


async def test_another_persons_report_has_its_own_line(scene: Scene, books: Books) -> None:
    await open_one(scene)
    for n in range(TIMES):
        await report(scene, f"{n % 7} hangs")

    await report(scene, "amounts are wrong", by=BEN)

    assert (await reports(books))[-1] == "reports: amounts are wrong"


async def test_saying_again_and_again_that_one_works_on_it_is_a_few_lines(scene: Scene, books: Books) -> None:
    await open_one(scene)

    for _ in range(30):
        await scene.incident_service.acknowledge(1, request(ANN))

    assert (await books.kinds()).count("active") == LINES_AT_ONCE
    assert (await books.events())[-1].words.startswith("(25 times) ")
    assert (await books.incident()).state is IncidentState.ACKNOWLEDGED


async def test_a_confirmation_after_a_change_of_severity_counts_whatever_was_written_before(
    scene: Scene, as_bot: Connection
) -> None:
    """The confirmation is what makes an emergency of it."""
    await open_one(scene, BEN, severity=IncidentSeverity.SEV3)
    for _ in range(12):
        await scene.incident_service.acknowledge(1, request(BEN))
    await scene.incident_service.change_severity(1, request(ANN), IncidentSeverity.SEV1)

    [before] = await read_emergencies(as_bot)
    await scene.incident_service.acknowledge(1, request(BEN))
    [after] = await read_emergencies(as_bot)

    ann = Person(ANN.user_id, ANN.team_id)
    assert (before.severity_for(ann), after.severity_for(ann)) == (IncidentSeverity.SEV3, IncidentSeverity.SEV1)


async def test_a_severity_changed_back_and_forth_pages_a_few_times(scene: Scene, books: Books) -> None:
    await open_one(scene, severity=IncidentSeverity.SEV3)

    outcomes = []
    for n in range(20):
        severity = IncidentSeverity.SEV3 if n % 2 else IncidentSeverity.SEV1
        outcomes.append(await scene.incident_service.change_severity(1, request(ANN), severity))

    assert [type(one) for one in outcomes] == [Done] * 5 + [Refused] * 15
    assert (await books.incident()).pages == 3


async def test_who_lowers_a_severity_again_and_again_loses_to_one_person_who_raises_it(
    scene: Scene, books: Books
) -> None:
    await open_one(scene, severity=IncidentSeverity.SEV2)
    await scene.incident_service.change_severity(1, request(ANN), IncidentSeverity.SEV1)

    lowered, raised = [], []
    for _ in range(MOST["incident.severity"] + 2):
        lowered.append(await scene.incident_service.change_severity(1, request(BEN), IncidentSeverity.SEV3))
        if isinstance(lowered[-1], Done):
            raised.append(await scene.incident_service.change_severity(1, request(ANN), IncidentSeverity.SEV1))

    assert [type(one) for one in lowered] == [Done] * 4 + [Refused] * 2
    assert [type(one) for one in raised] == [Done] * 4
    assert (await books.incident()).severity is IncidentSeverity.SEV1


async def test_escalating_again_and_again_pages_a_few_times_and_another_person_still_can(
    scene: Scene, books: Books
) -> None:
    await open_one(scene)

    outcomes = [await scene.incident_service.escalate(1, request(ANN)) for _ in range(48)]

    most = MOST["incident.escalated"]
    assert [type(one) for one in outcomes] == [Done] * most + [Refused] * (48 - most)
    assert (await books.incident()).pages == 1 + most
    assert (await books.audit()).count("incident.escalated.refused") == 1
    assert isinstance(await scene.incident_service.escalate(1, request(BEN)), Done)
    assert isinstance(await scene.incident_service.acknowledge(1, request(ANN)), Done)  # never refused
    assert isinstance(await scene.incident_service.resolve(1, request(ANN), "seen to"), Done)


async def test_who_manages_incidents_opens_ten_in_a_row(scene: Scene) -> None:
    outcomes = [await open_one(scene, OLIVIA, another=True) for _ in range(12)]

    assert [type(one) for one in outcomes] == [Done] * 10 + [Refused] * 2
    assert isinstance(await open_one(scene, BEN, another=True), Done)


async def test_what_is_long_ago_does_not_count(scene: Scene, as_owner: Connection) -> None:
    for _ in range(11):
        outcome = await open_one(scene, OLIVIA, another=True)
    assert isinstance(outcome, Refused)

    await as_owner.execute("ALTER TABLE chatops.audit DISABLE TRIGGER USER")  # it refuses every update
    await as_owner.execute("UPDATE chatops.audit SET at = at - interval '11 minutes'")
    await as_owner.commit()

    assert isinstance(await open_one(scene, OLIVIA, another=True), Done)


async def test_follow_ups_of_one_person_are_bounded(scene: Scene, books: Books) -> None:
    await open_one(scene)

    outcomes = [await scene.incident_service.add_todo(1, request(ANN), NewTodo(f"do {n}")) for n in range(25)]

    assert sum(isinstance(one, Done) for one in outcomes) == MOST["incident.todo"]
    assert (await books.kinds()).count("todo") == MOST["incident.todo"]


async def test_putting_a_colleague_on_call_again_and_again_messages_them_a_few_times(
    scene: Scene, books: Books
) -> None:
    until = (await read_clock(books.conn)).replace(year=2099)

    outcomes = [
        await scene.incident_service.on_call.override(request(ANN), Desired("primary", BEN.user_id, until))
        for _ in range(20)
    ]

    assert sum(not isinstance(one, Refused) for one in outcomes) == MOST["oncall.override"]
    direct = [key for key in await books.messages() if key.endswith(":direct")]
    assert len(direct) == MOST["oncall.override"]


@pytest.mark.parametrize("event", ["incident.acknowledged", "incident.resolved", "oncall.taken"])
def test_answering_is_never_bounded(event: str) -> None:
    assert event not in MOST
