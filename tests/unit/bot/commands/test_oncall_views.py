"""The answer of `oncall`: levels, overrides and gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.commands.oncall import oncall_answer
from bot.last_known import KnownOverrides
from bot.types import Answer
from playbooks.checks.oncall import Facts, check
from playbooks.model import Status
from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.oncall import Level, OnCallPerson, Override, Schedule
from services.domain.people import Person
from services.domain.rotations import Rotation
from services.sandbox.slack.limits import violations

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WAIT = timedelta(minutes=5)
ROTATION = Rotation("primary", ("ann",), 7, date(2026, 11, 2), time(12), ZoneInfo("UTC"))
SCHEDULE = Schedule(
    {"ann": OnCallPerson("ann", "U1")},
    {"primary": ROTATION},
    (
        Level(("primary",), frozenset({Channel.DIRECT}), WAIT),
        Level(("S0GROUP",), frozenset(Channel), WAIT, webhook="team"),
    ),
)
AWAY = Unavailable("database", "connection refused")


def answer(facts: Facts, known: KnownOverrides | None = None) -> Answer:
    return oncall_answer(facts, check(facts), known or KnownOverrides(()))


def test_the_first_line_names_who_is_paged_first_and_until_when() -> None:
    reported = answer(Facts(SCHEDULE, [], NOW))

    first, second = reported.text.splitlines()
    assert "1. <@U1> (next handover <!date^" in first
    assert first.endswith("direct message · waits 5 min")
    assert second.startswith("2. <!subteam^S0GROUP>, team · mention, pager · waits 5 min")
    assert (reported.status, reported.private) == (Status.OK, True)
    assert (
        violations({"text": reported.text, "blocks": list(reported.blocks)}, surface="message", groups=("S0GROUP",))
        == []
    )


def test_an_override_that_a_newer_one_replaces_to_its_end_is_not_shown_as_covering() -> None:
    older = Override(1, "primary", "U2", NOW, NOW + 2 * WAIT, Person("U1", "T1"), NOW)

    def covering(ends_at: datetime, rotation: str = "primary") -> list[str]:
        newer = replace(older, id=2, user_id="U3", ends_at=ends_at, rotation=rotation)
        lines = answer(Facts(SCHEDULE, [older, newer], NOW), KnownOverrides((older, newer))).text.splitlines()
        return [line[2:4] for line in lines if " covers " in line]

    assert covering(NOW + 2 * WAIT) == ["U3"]
    assert covering(NOW + WAIT) == ["U2", "U3"]  # the older one holds again after it
    assert covering(NOW + 2 * WAIT, "other") == ["U2", "U3"]


def test_override_is_shown_and_replaces_the_person_on_call() -> None:
    standing_in = Override(1, "primary", "U2", NOW, NOW + WAIT, Person("U1", "T1"), NOW)
    later = replace(standing_in, user_id="U3", begins_at=NOW + WAIT, ends_at=NOW + 2 * WAIT)

    lines = answer(Facts(SCHEDULE, [standing_in, later], NOW), KnownOverrides((standing_in, later))).text.splitlines()

    assert "1. <@U2>" in lines[0]
    assert lines[2].startswith("<@U2> covers primary until ")
    assert lines[3].startswith("<@U3> covers primary from ")


def test_a_gap_is_reported() -> None:
    ended = replace(SCHEDULE, rotations={"primary": replace(ROTATION, until=date(2026, 11, 10))})

    reported = answer(Facts(ended, [], NOW))

    assert "*no one*" in reported.text.splitlines()[0]
    assert "level 1" in reported.text
    assert reported.status is Status.FAIL


def test_remembered_overrides_are_shown_with_their_age() -> None:
    known = KnownOverrides((), timedelta(minutes=3), AWAY)

    note = answer(Facts(SCHEDULE, [], NOW), known).blocks[-1]["elements"][0]["text"]

    assert note == "the overrides are 3 min old (connection refused)"


def test_overrides_are_unknown_when_never_read() -> None:
    note = answer(Facts(SCHEDULE, AWAY, NOW), KnownOverrides(AWAY, problem=AWAY)).blocks[-1]["elements"][0]["text"]

    assert "overrides are unknown (connection refused)" in note


def test_without_an_on_call_file_the_answer_names_who_is_paged() -> None:
    reported = answer(Facts(None, [], NOW))

    assert reported.status is Status.WARN
    assert "approvers" in reported.text
