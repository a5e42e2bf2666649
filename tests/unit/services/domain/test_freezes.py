"""Freezes: when they are in force, and for which services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.domain.freezes import LAST, LOCK, freeze_words, in_force, upcoming
from services.domain.services import Service
from services.domain.windows import Span, encode_recurrence, take_window
from tests.freezes import new_freeze

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)  # a Wednesday
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def test_freeze_is_in_force_from_its_beginning_until_before_its_end() -> None:
    freeze = new_freeze(NOW, ends_at=NOW + 60 * MINUTE)

    assert freeze.span_at(NOW - MINUTE) is None
    assert freeze.next_span(NOW - MINUTE) == Span(NOW, NOW + 60 * MINUTE)
    assert freeze.span_at(NOW) == Span(NOW, NOW + 60 * MINUTE)
    assert freeze.span_at(NOW + 59 * MINUTE) is not None
    assert freeze.span_at(NOW + 60 * MINUTE) is None
    assert (freeze.is_over(NOW + 59 * MINUTE), freeze.is_over(NOW + 60 * MINUTE)) == (False, True)


def test_freeze_without_an_end_lasts_until_it_is_lifted() -> None:
    freeze = new_freeze(NOW)

    assert freeze.span_at(NOW + timedelta(days=5000)) == Span(NOW, LAST)
    assert not freeze.is_over(NOW + timedelta(days=5000))
    assert freeze_words(freeze, NOW).startswith("api is frozen by Olivia")
    assert freeze_words(freeze, NOW).endswith("lifted (the import runs)")


def test_fridays_from_16_00_are_frozen_by_the_clock_of_their_zone_each_week() -> None:
    written, _ = take_window(["every", "fri", "from", "16:00"], NOW, BERLIN)
    assert written.recurrence is not None
    freeze = new_freeze(NOW, service=None, recurrence=encode_recurrence(written.recurrence))
    friday = datetime(2026, 1, 9, 15, 0, tzinfo=UTC)

    assert freeze.span_at(friday - MINUTE) is None
    assert freeze.span_at(friday) == Span(friday, friday + timedelta(hours=8))
    assert freeze.span_at(friday + timedelta(days=7)) is not None
    summer = datetime(2026, 7, 3, 14, 0, tzinfo=UTC)
    assert (freeze.span_at(summer - MINUTE), freeze.span_at(summer) is not None) == (None, True)
    assert not freeze.is_over(summer + timedelta(days=3650))


def test_windows_that_this_version_cannot_read_hold_always() -> None:
    freeze = new_freeze(NOW, recurrence={"moon": "full"})

    assert freeze.span_at(NOW) == Span(NOW, LAST)
    assert not freeze.is_over(NOW)


def test_freeze_of_one_service_leaves_the_others_alone_and_one_of_all_leaves_none() -> None:
    api, everything = new_freeze(NOW), new_freeze(NOW, id=4, service=None)

    assert in_force([api], [Service.API, Service.INGEST], NOW) == (api,)
    assert in_force([api], [Service.INGEST], NOW) == ()
    assert in_force([api, everything], [Service.INGEST], NOW) == (everything,)
    # A change without services uses all of them, as the golden path does.
    assert in_force([api], [], NOW) == (api,)


def test_upcoming_freezes_are_those_that_begin_within_the_time() -> None:
    soon, later = new_freeze(NOW + 30 * MINUTE), new_freeze(NOW + 90 * MINUTE, id=4, kind=LOCK)

    found = upcoming([later, soon, new_freeze(NOW, id=5)], [Service.API], NOW, NOW + 60 * MINUTE)

    assert [(one.id, span.begins) for one, span in found] == [(3, NOW + 30 * MINUTE)]
