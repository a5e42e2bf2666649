"""The delivery loop, over a transport in memory: nothing is sent unclaimed or late, and every outcome is written."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bot.delivery.engine import Batch, Delivery, Transport
from bot.leader import Fence
from bot.wake_ups import WakeUp, WakeUps
from services.domain.errors import SourceError

FENCE = Fence("bot-1", 1)
POLL_S = 30.0


class Post(Transport[str, str, str], Batch[str, str, str]):
    """`journal` has what happened, in order. `failures`: what sending these raises; `lost`: claimed by another."""

    name = "post"
    pages = True
    at_once = 1

    def __init__(self, *due: str, wait_s: float | None = None) -> None:
        self.due: Sequence[str] = due
        self.wait_s = wait_s
        self.journal: list[str] = []
        self.failures: dict[str, SourceError] = {}
        self.skipped: set[str] = set()
        self.lost: set[str] = set()
        self.leaves_by = math.inf

    @asynccontextmanager
    async def open(self, fence: Fence) -> AsyncIterator[Post]:
        assert fence == FENCE
        yield self

    async def prepare(self, item: str) -> str | None:
        return None if item in self.skipped else f"act {item}"

    async def claim(self, item: str, act: str) -> float | None:
        assert act == f"act {item}"
        self.journal.append(f"claim {item}")
        return None if item in self.lost else self.leaves_by

    async def send(self, item: str, act: str, leaves_by: float) -> str:
        assert (act, leaves_by) == (f"act {item}", self.leaves_by)
        self.journal.append(f"send {item}")
        if item in self.failures:
            raise self.failures[item]
        return "sent"

    async def after_failure(self, item: str, error: SourceError) -> str:
        return f"again: {item}, {error.why}"

    async def mark(self, item: str, outcome: str) -> None:
        self.journal.append(f"mark {item} {outcome}")


def delivery(post: Post, *, sent: WakeUp | None = None) -> Delivery[str, str, str]:
    return Delivery(post, WakeUps(poll_s=POLL_S), sent=sent)


async def test_delivery_claims_sends_and_marks_one_item_before_the_next() -> None:
    post = Post("a", "b")

    assert await delivery(post).tick(FENCE) == 0.0, "more may be due by now"

    assert post.journal == ["claim a", "send a", "mark a sent", "claim b", "send b", "mark b sent"]


async def test_side_by_side_all_are_sent_before_the_first_is_marked() -> None:
    post = Post("a", "b", "c")
    post.at_once = 2

    await delivery(post).tick(FENCE)

    marked = [line for line in post.journal if line.startswith("mark")]
    assert marked == ["mark a sent", "mark b sent", "mark c sent"]
    assert max(post.journal.index("send a"), post.journal.index("send b")) < post.journal.index("mark a sent")
    assert post.journal.index("mark b sent") < post.journal.index("send c")


async def test_delivery_does_not_claim_skipped_items() -> None:
    post = Post("a")
    post.skipped = {"a"}

    await delivery(post).tick(FENCE)

    assert post.journal == []


async def test_delivery_neither_sends_nor_marks_items_of_another_sender() -> None:
    post = Post("a", "b")
    post.lost = {"a"}

    await delivery(post).tick(FENCE)

    assert post.journal == ["claim a", "claim b", "send b", "mark b sent"]


async def test_delivery_does_not_send_after_the_send_deadline() -> None:
    post = Post("a")
    post.leaves_by = time.monotonic() - 0.001

    with pytest.raises(SourceError, match="too late to begin"):
        await delivery(post).tick(FENCE)

    assert post.journal == ["claim a"]


async def test_a_receiver_that_fails_has_its_outcome_written_and_holds_up_no_other() -> None:
    post = Post("a", "b")
    post.failures = {"a": SourceError("pager", "refused (503)", retryable=True)}

    await delivery(post).tick(FENCE)

    assert post.journal == ["claim a", "send a", "mark a again: a, refused (503)", "claim b", "send b", "mark b sent"]


async def test_a_database_that_fails_ends_the_tick() -> None:
    post = Post("a", "b")
    post.failures = {"a": SourceError("database", "it is away")}

    with pytest.raises(SourceError, match="it is away"):
        await delivery(post).tick(FENCE)

    assert post.journal == ["claim a", "send a"]


@pytest.mark.parametrize(("wait_s", "expected"), [(None, POLL_S), (POLL_S + 1, POLL_S), (2.0, 2.0)])
async def test_with_nothing_due_it_waits_as_long_as_the_transport_reports_and_at_most_a_poll(
    wait_s: float | None, expected: float
) -> None:
    assert await delivery(Post(wait_s=wait_s)).tick(FENCE) == expected


@pytest.mark.parametrize(("due", "times"), [((), 0), (("a", "b"), 1)])
async def test_others_are_woken_once_something_was_sent(due: tuple[str, ...], times: int) -> None:
    sent, woken = WakeUp(), list[None]()

    with sent.listen(lambda: woken.append(None)):
        await delivery(Post(*due), sent=sent).tick(FENCE)

    assert len(woken) == times
