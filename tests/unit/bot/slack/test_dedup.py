"""The deliveries that this process remembers."""

from __future__ import annotations

from bot.slack.dedup import RecentDeliveries


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_key_is_new_once() -> None:
    seen = RecentDeliveries()

    assert [seen.add("a"), seen.add("a")] == [True, False]


def test_key_is_forgotten_after_its_time() -> None:
    clock = Clock()
    seen = RecentDeliveries(ttl_s=10, clock=clock)
    seen.add("a")

    clock.now = 9.9
    within = seen.add("a")
    clock.now = 10.0

    assert (within, seen.add("a")) == (False, True)


def test_no_more_than_the_limit_is_kept() -> None:
    seen = RecentDeliveries(limit=3)
    for number in range(100):
        seen.add(str(number))

    assert len(seen) == 3
    assert not seen.add("99")


def test_unfinished_work_is_forgotten() -> None:
    seen = RecentDeliveries()
    seen.add("a")

    seen.discard("a")

    assert seen.add("a")
