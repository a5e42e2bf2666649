"""Decisions on a message that Slack does not show yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.delivery.decide import (
    AFTER_PAGES_S,
    TRIES_OF_UNKNOWN,
    RateLimitGates,
    SendAction,
    is_final,
    next_action,
    retry_after,
)
from services.domain.messages import PAGE, OutboxQueue, UnsentMessage
from services.domain.slack_refusals import Refusal


def message(*, ts: str | None = None, posting_since: datetime | None = None) -> UnsentMessage:
    return UnsentMessage("k", "C1", None, "text", [], 1, ts, posting_since, 0, 0)


def test_new_message_is_posted() -> None:
    assert next_action(message()) is SendAction.POST


def test_message_that_may_have_got_through_is_looked_for() -> None:
    assert next_action(message(posting_since=datetime.now(UTC))) is SendAction.FIND


def test_posted_message_is_edited() -> None:
    assert next_action(message(ts="1.0")) is SendAction.UPDATE


def test_waits_longer_after_each_failure_and_never_more_than_a_minute() -> None:
    waits = [retry_after(attempts) for attempts in range(1, 40)]

    assert waits[:3] == [timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=1)


def test_page_is_tried_again_within_five_seconds() -> None:
    assert retry_after(50, priority=PAGE) == timedelta(seconds=5)
    assert retry_after(50, priority=PAGE - 1) == timedelta(minutes=1)


def test_closed_gate_opens_at_its_moment() -> None:
    gates = RateLimitGates()
    gates.close(OutboxQueue.REST, SendAction.UPDATE, until=30.0)

    assert not gates.is_open(OutboxQueue.REST, posting=False, now=29.9)
    assert gates.is_open(OutboxQueue.REST, posting=False, now=30.0)
    assert gates.opens_in(OutboxQueue.REST, now=20.0) == 10.0
    assert gates.opens_in(OutboxQueue.REST, now=30.0) is None


def test_edits_that_are_refused_hold_up_no_post() -> None:
    gates = RateLimitGates()
    gates.close(OutboxQueue.REST, SendAction.UPDATE, until=30.0)

    assert gates.is_open(OutboxQueue.REST, posting=True, now=0.0)
    assert gates.is_open(OutboxQueue.PAGES, posting=True, now=0.0)


def test_notes_that_are_refused_hold_up_no_page() -> None:
    gates = RateLimitGates()
    gates.close(OutboxQueue.REST, SendAction.POST, until=30.0)

    assert gates.is_open(OutboxQueue.PAGES, posting=True, now=0.0)


def test_rest_leaves_the_next_posts_to_pages_that_were_refused() -> None:
    gates = RateLimitGates()
    gates.close(OutboxQueue.PAGES, SendAction.FIND, until=30.0)

    assert gates.is_open(OutboxQueue.PAGES, posting=True, now=30.0)
    assert not gates.is_open(OutboxQueue.REST, posting=True, now=30.0)
    assert gates.is_open(OutboxQueue.REST, posting=True, now=30.0 + AFTER_PAGES_S)
    assert gates.is_open(OutboxQueue.REST, posting=False, now=0.0)


def test_gate_never_opens_earlier_than_was_reported_before() -> None:
    gates = RateLimitGates()
    gates.close(OutboxQueue.REST, SendAction.POST, until=30.0)
    gates.close(OutboxQueue.REST, SendAction.POST, until=5.0)

    assert not gates.is_open(OutboxQueue.REST, posting=True, now=29.0)


def test_outbox_gives_up_when_a_retry_cannot_help() -> None:
    given_up = {refusal for refusal in Refusal if is_final(refusal, 0)}

    assert given_up == {Refusal.CONTENT, Refusal.THREAD, Refusal.PLACE}


def test_a_refusal_that_no_one_knows_is_given_up_after_some_tries() -> None:
    assert not is_final(Refusal.UNKNOWN, TRIES_OF_UNKNOWN - 2)
    assert is_final(Refusal.UNKNOWN, TRIES_OF_UNKNOWN - 1)


def test_outbox_never_gives_up_when_the_token_is_refused() -> None:
    assert not is_final(Refusal.TOKEN, 10_000)
