"""Rate-limit headers, whose formats Railway does not document well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.clients.railway.quota import DEFAULT_RETRY_AFTER_S, RateLimit, parse_rate_limit, parse_retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reset", "reset_at"),
    [
        (str(int(NOW.timestamp())), NOW),
        ("90", NOW + timedelta(seconds=90)),
        ("2026-01-02T03:04:05Z", NOW),
        ("2026-01-02T03:04:05", NOW),
        ("soon", None),
        ("9" * 30, None),
        ("nan", None),
        ("", None),
    ],
)
def test_reset_is_understood_in_every_usual_format(reset: str, reset_at: datetime | None) -> None:
    headers = {"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "7", "x-ratelimit-reset": reset}

    assert parse_rate_limit(headers, NOW) == RateLimit(1000, 7, reset_at)


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-limit": "1000"}, {"x-ratelimit-limit": "many"}])
def test_without_its_headers_the_limit_is_not_known(headers: dict[str, str]) -> None:
    assert parse_rate_limit(headers, NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("12", 12), ("0", 1), ("-5", 1), ("Fri, 31 Dec 1999 23:59:59 GMT", DEFAULT_RETRY_AFTER_S)]
)
def test_retry_after_is_at_least_a_second(text: str, seconds: float) -> None:
    assert parse_retry_after({"retry-after": text}) == seconds


def test_missing_retry_after_means_a_minute() -> None:
    assert parse_retry_after({}) == DEFAULT_RETRY_AFTER_S
