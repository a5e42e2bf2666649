"""Bare `/dragonfly` lists what waits for the requester and what is locked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands.home import home_answer
from bot.incidents.assignments import Asked, Assignment
from playbooks.health import Report
from playbooks.model import Status
from services.domain import reports
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.people import Person
from services.domain.reports import ApprovalNumbers, DeploymentNumbers, IncidentNumbers, Shift
from services.domain.runs import Review, RunState
from services.domain.services import Service
from services.domain.todos import Todo
from services.sandbox.slack.limits import violations
from tests.runs import new_run
from tests.unit.bot.incidents.builders import alert, incident

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REPORT = Report("prod is healthy", Status.OK, (), ())
RUN = new_run(NOW)


def test_a_run_that_waits_is_there_with_a_button() -> None:
    answer = home_answer(REPORT, None, waiting=[RUN], locks=(), now=NOW)

    assert "*1 run* waiting for you" in json.dumps(answer.blocks)
    buttons = [
        element["action_id"] for block in answer.blocks if block["type"] == "actions" for element in block["elements"]
    ]
    assert buttons[:3] == ["run.approve", "run.deny", "run.details"]


def test_home_shows_the_page_first_with_an_acknowledge_button() -> None:
    paged = Assignment(incident(), Asked.ACKNOWLEDGE)

    answer = home_answer(REPORT, None, waiting=(), locks=(), incidents=[paged.incident], assignments=[paged], now=NOW)

    assert answer.text.startswith("📟")
    assert answer.blocks[0]["text"]["text"].startswith("📟")
    assert answer.blocks[1]["elements"][0]["value"] == "incident ack 7"
    text = json.dumps(answer.blocks)
    assert "Nothing is waiting" not in text
    assert text.count("incident 7,") == 1


@pytest.mark.parametrize(("asked", "sign"), [(Asked.WORK, "🟡"), (Asked.RESOLVE, "🟢")])
def test_home_offers_the_assignee_to_resolve(asked: Asked, sign: str) -> None:
    mine = Assignment(incident(), asked)

    answer = home_answer(REPORT, None, waiting=(), locks=(), incidents=[mine.incident], assignments=[mine], now=NOW)

    assert answer.blocks[0]["text"]["text"].startswith(sign)
    assert answer.blocks[1]["elements"][0]["value"] == "incident resolve 7"


@pytest.mark.parametrize("is_mine", [True, False])
def test_an_incident_reads_as_its_root_message_does(is_mine: bool) -> None:
    one = incident()
    calm = alert(line="PAGE prod · ingest 1 of 1 alive · fine since 12:03 UTC, watched until 12:33 UTC")
    assignments = [Assignment(one, Asked.WORK)] if is_mine else []
    alerts = [replace(alert(), incident_id=8, line="PAGE prod · another thing"), calm]

    answer = home_answer(
        REPORT, None, waiting=(), locks=(), incidents=[one], alerts=alerts, assignments=assignments, now=NOW
    )

    text = json.dumps(answer.blocks, ensure_ascii=False)
    assert "🟢 *ingest 1 of 1 alive: fine since 12:03 UTC" in text
    assert one.title not in text
    assert "another thing" not in text


def test_locks_are_listed() -> None:
    lock = Lock(Service.API, "U1", "rolled back <!channel>", NOW)

    text = json.dumps(home_answer(REPORT, None, waiting=(), locks=[lock], now=NOW).blocks, ensure_ascii=False)

    assert "Nothing is waiting" in text
    assert "🔒 *api*" in text
    assert "rolled back &lt;!channel&gt;" in text


def test_home_says_unknown_when_the_database_is_unreadable() -> None:
    away = Unavailable("database", "connection refused")

    text = json.dumps(home_answer(REPORT, None, waiting=away, locks=away, now=NOW).blocks)

    assert "unknown: connection refused" in text
    assert "Nothing is waiting" not in text


def test_home_shows_open_reviews_with_their_button() -> None:
    done = replace(RUN, state=RunState.SUCCEEDED, risk="break-glass", started_at=NOW, ended_at=NOW)
    review = Review(12, Person("U0OLIVIA001", "T1"), NOW)

    answer = home_answer(REPORT, None, waiting=(), reviews=[(review, done)], locks=(), now=NOW)

    text = json.dumps(answer.blocks)
    assert "*1 review* waiting for you" in text
    assert "Not reviewed yet: <@U0OLIVIA001> acted" in text
    [button] = [block["accessory"] for block in answer.blocks if "accessory" in block]
    assert (button["action_id"], button["value"]) == ("run.review", "12")


@pytest.mark.parametrize("count", [0, 5, 6, 200])
def test_slack_takes_it(count: int) -> None:
    run = replace(RUN, title="<!channel>" * 900)
    review = Review(12, Person("U0OLIVIA001", "T1"), NOW)
    answer = home_answer(REPORT, None, waiting=[run] * count, reviews=[(review, run)] * count, locks=(), now=NOW)

    payload = {"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}
    assert list(violations(payload, surface="message")) == []


def test_the_last_week_is_one_line_of_numbers() -> None:
    numbers = IncidentNumbers(3, 2, 2, 3, 240.0, 1800.0, 900.0)
    week = week_of(numbers, shifts=(Shift(NOW.replace(tzinfo=None), 3),))

    answer = home_answer(REPORT, None, waiting=(), locks=(), week=week, now=NOW)
    quiet = home_answer(REPORT, None, waiting=(), locks=(), week=week_of(NONE, shifts=()), now=NOW)
    young = home_answer(REPORT, None, waiting=(), locks=(), week=week_of(NONE, shifts=(), days_known=2), now=NOW)
    unknown = home_answer(REPORT, None, waiting=(), locks=(), week=Unavailable("database", "away"), now=NOW)

    words = "last 7 d: 3 incidents · acknowledged after 4 min · resolved after 30 min · 1 of 14 shifts above 2 pages"
    assert words in json.dumps(answer.blocks, ensure_ascii=False)
    assert 'last 7 d: no incidents"' in json.dumps(quiet.blocks)
    assert "last 7 d: no incidents since <!date" in json.dumps(young.blocks)
    assert "last 7 d" not in json.dumps(unknown.blocks)
    assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")


def test_follow_ups_of_the_reader_are_there_with_their_button() -> None:
    todos = [Todo(n, 7, "raise <the> limit", "U0BEN", NOW, "U0ANN", NOW) for n in range(1, 40)]

    answer = home_answer(REPORT, None, waiting=(), locks=(), todos=todos, now=NOW)
    none = home_answer(REPORT, None, waiting=(), locks=(), todos=(), now=NOW)

    text = json.dumps(answer.blocks, ensure_ascii=False)
    assert "*Your follow-ups* (39)" in text
    assert "🔴 <@U0BEN>: raise &lt;the&gt; limit" in text
    assert "incident done 1" in text
    assert "… and 19 others" in text
    assert "follow-up" not in json.dumps(none.blocks)
    assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")


NONE = IncidentNumbers(0, 0, 0, 0, None, None, None)


def week_of(numbers: IncidentNumbers, *, shifts: tuple[Shift, ...], days_known: int = 90) -> reports.Report:
    since = NOW - timedelta(days=7)
    return reports.Report(
        since=since,
        until=NOW,
        service=None,
        incidents=numbers,
        shifts=shifts,
        held_back=(),
        held_since=since,
        rules=(),
        approvals=ApprovalNumbers(0, 0, None),
        deployments=DeploymentNumbers(0, 0),
        records_since=NOW - timedelta(days=days_known),
    )
