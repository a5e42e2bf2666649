"""When a drill is over, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.drills.decide import DETECTED_WITHIN, PATIENCE, Course, PagedTarget, outcome, report
from bot.views.drill import offer_answer, report_message, started_answer
from services.domain.alerts import MARK, Drill, is_drill
from services.domain.people import Person
from services.sandbox.slack.limits import violations

STALE = datetime(2025, 12, 2, 3, 0, 0, tzinfo=UTC)
DRILL = Drill(7, Person("U1", "T1"), STALE - timedelta(seconds=5), STALE - timedelta(minutes=5), STALE, None, None)
FIRED = Course(
    now=STALE + timedelta(seconds=2),
    drill=DRILL,
    detected_at=STALE + timedelta(seconds=0.05),
    told_at=STALE + timedelta(seconds=0.4),
)
SECOND = timedelta(seconds=1)


def after(span: timedelta) -> datetime:
    return STALE + span


def test_a_drill_continues_until_a_person_answers() -> None:
    assert outcome(FIRED) is None
    assert outcome(replace(FIRED, answered_at=after(40 * SECOND), answered_by="U2")) == "answered"


@pytest.mark.parametrize(("late", "over"), [(PATIENCE, False), (PATIENCE + SECOND, True)])
def test_a_drill_ends_after_five_minutes(late: timedelta, over: bool) -> None:
    assert (outcome(replace(FIRED, now=after(late))) is not None) is over


@pytest.mark.parametrize(("late", "over"), [(DETECTED_WITHIN, False), (DETECTED_WITHIN + SECOND, True)])
def test_a_drill_that_nothing_detects_reports_so(late: timedelta, over: bool) -> None:
    course = Course(now=after(late), drill=DRILL)

    assert outcome(course) == ("not detected" if over else None)


def test_a_drill_that_is_held_back_reports_why() -> None:
    course = Course(now=after(2 * DETECTED_WITHIN), drill=DRILL, held="silenced by U1")

    found = outcome(course) or ""

    assert found.startswith("no one")
    assert found.endswith(": silenced by U1")


def test_report_has_the_times_from_the_stale_beat_and_who_was_not_reached() -> None:
    pages = (
        PagedTarget("Ann", "webhook", after(1.2 * SECOND)),
        PagedTarget("Ben", "email", None, "mail server: refused (550)"),
        PagedTarget("Otto", "direct", None),
    )
    course = replace(FIRED, pages=pages, answered_at=after(40 * SECOND), answered_by="U2")

    found = report(course, "answered")

    assert (found["detected_after_s"], found["told_after_s"], found["answered_after_s"]) == (0.05, 0.4, 40.0)
    assert [page["after_s"] for page in found["calls"]] == [1.2, None, None]
    assert found["not_reached"] == ["Ben by email"]
    assert [page["why_not"] for page in found["calls"]] == [
        None,
        "mail server: refused (550)",
        "acknowledged earlier",
    ]


def test_without_an_answer_everyone_who_was_not_reached_is_missed() -> None:
    found = report(replace(FIRED, pages=(PagedTarget("Otto", "direct", None),)), "no acknowledgement within 5 minutes")

    assert found["not_reached"] == ["Otto by direct"]
    assert found["calls"][0]["why_not"] == "no delivery report yet"


def test_clock_skew_gives_no_negative_time() -> None:
    assert report(replace(FIRED, told_at=after(-SECOND)), "answered")["told_after_s"] == 0.0


def test_every_message_reports_drill_and_fits() -> None:
    found = report(
        replace(FIRED, pages=tuple(PagedTarget("Ann" * 30, "webhook", None, "<!channel>" * 50) for _ in range(60))), "x"
    )
    ended = replace(DRILL, ended_at=after(SECOND), report=found)
    answers = [offer_answer(0, ended), offer_answer(2, None), started_answer(DRILL)]
    messages = [report_message(ended, found), *((answer.text, answer.blocks) for answer in answers)]

    for text, blocks in messages:
        assert MARK in text
        assert violations({"text": text, "blocks": list(blocks)}, surface="message", method="chat.postMessage") == []


def test_is_drill_is_true_for_a_drills_alert_only() -> None:
    assert is_drill(DRILL.fingerprint)
    assert not is_drill("heartbeats.ingest")
