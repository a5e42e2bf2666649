"""Overrides are remembered for as long as the database is away, with their age."""

from datetime import UTC, datetime, timedelta

from bot.last_known import KnownOverrides, OverrideMemory
from services.domain.errors import Unavailable
from services.domain.oncall import Override
from services.domain.people import Person

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROW = Override(1, "primary", "U1", NOW, NOW + timedelta(hours=1), Person("U2", "T1"), NOW)
AWAY = Unavailable("database", "connection refused")


def test_a_reading_is_of_now() -> None:
    assert OverrideMemory().recall([ROW]) == KnownOverrides((ROW,))


def test_without_any_reading_overrides_are_unknown() -> None:
    assert OverrideMemory().recall(AWAY) == KnownOverrides(AWAY, problem=AWAY)


def test_an_earlier_reading_serves_with_its_age_and_the_reason() -> None:
    memory = OverrideMemory()
    memory.recall([ROW])

    known = memory.recall(AWAY)

    assert (known.rows, known.problem) == ((ROW,), AWAY)
    assert known.age > timedelta()
