"""Parsing of the lines of `freeze`, `lock` and `unfreeze`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.commands.freeze import Wanted, parse_freeze, parse_lock, pick
from services.domain.errors import OperatorError, UsageError
from services.domain.services import Service
from services.domain.windows import Written
from tests.freezes import new_freeze

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("line", "service", "begins", "ends", "reason"),
    [
        ("api the import runs", Service.API, None, None, "the import runs"),
        ("api until 18:00 the import runs", Service.API, None, NOW + 6 * HOUR, "the import runs"),
        ("all from 16:00 until 18:00 release", None, NOW + 4 * HOUR, NOW + 6 * HOUR, "release"),
        ("ingest 2h the import", Service.INGEST, None, NOW + 2 * HOUR, "the import"),
        ("api for 30m wait for 2 reviews", Service.API, None, NOW + HOUR / 2, "wait for 2 reviews"),
    ],
)
def test_freeze_takes_a_service_a_time_and_a_reason(
    line: str, service: Service | None, begins: datetime | None, ends: datetime | None, reason: str
) -> None:
    assert parse_freeze(line.split(), NOW, UTC_ZONE) == Wanted("freeze", service, Written(begins, ends), reason)


def test_freeze_comes_again_each_week() -> None:
    wanted = parse_freeze(["all", "every", "fri", "from", "16:00", "no", "deploys"], NOW, UTC_ZONE)

    assert wanted.when.recurrence is not None
    assert wanted.when.recurrence.words == "every fri 16:00 until midnight (UTC)"
    assert wanted.reason == "no deploys"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("api", "the reason is missing"),
        ("api until 18:00", "the reason is missing"),
        ("nothing at all", "nothing"),
        ("api until soon the import", "after `until`"),
        ("api from 2026-01-05 until 2026-01-06 the import", "already passed"),
        ("api until 2028-01-01 the import", "a year"),
    ],
)
def test_freeze_that_does_not_fit_is_refused_with_what_is_wrong(line: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_freeze(line.split(), NOW, UTC_ZONE)

    assert why in f"{refused.value.what} {refused.value.why}"


def test_lock_takes_its_time_from_the_end_of_the_line() -> None:
    for line, ends, reason in (
        ("api migration by hand for 2h", NOW + 2 * HOUR, "migration by hand"),
        ("api migration by hand for 2 hours", NOW + 2 * HOUR, "migration by hand"),
        ("api wait for ann", None, "wait for ann"),
        ("api wait for 2 reviews", None, "wait for 2 reviews"),
    ):
        assert parse_lock(line.split(), NOW) == Wanted("lock", Service.API, Written(ends=ends), reason), line


def test_unfreeze_finds_the_one_that_is_meant_and_asks_where_several_are() -> None:
    api, everything, other = new_freeze(NOW), new_freeze(NOW, id=4, service=None), new_freeze(NOW, id=5)

    assert pick([api], []) is api
    assert pick([api, everything], ["4"]) is everything
    assert pick([api, everything], ["all"]) is everything
    assert pick([api, everything], ["api"]) is api
    with pytest.raises(OperatorError):
        pick([api], ["ingest"])
    with pytest.raises(UsageError) as asked:
        pick([api, other], ["api"])
    assert [choice.line for choice in asked.value.choices] == ["unfreeze 3", "unfreeze 5"]
