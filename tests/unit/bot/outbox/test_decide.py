"""What to do about a message that Slack does not show yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.outbox.decide import Move, next_move, retry_after
from services.domain.outbox import UnsentMessage


def message(*, ts: str | None = None, posting_since: datetime | None = None) -> UnsentMessage:
    return UnsentMessage("k", "C1", None, "text", [], 1, ts, posting_since, 0, 0.0)


def test_new_message_is_posted() -> None:
    assert next_move(message()) is Move.POST


def test_message_that_may_have_got_through_is_looked_for() -> None:
    assert next_move(message(posting_since=datetime.now(UTC))) is Move.FIND


def test_posted_message_is_edited() -> None:
    assert next_move(message(ts="1.0")) is Move.UPDATE


def test_waits_longer_after_each_failure_and_never_more_than_a_minute() -> None:
    waits = [retry_after(attempts) for attempts in range(1, 40)]

    assert waits[:3] == [timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=1)
