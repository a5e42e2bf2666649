"""Rates of public answers per channel and per person: both sides of each limit."""

from __future__ import annotations

from bot.admission import PublicAnswers, Rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def answers(clock: Clock, *, channel: int = 100, person: int = 100) -> PublicAnswers:
    return PublicAnswers(clock, per_channel=Rate(channel, 5.0), per_person=Rate(person, 10.0))


def test_one_person_has_a_burst_and_then_one_per_ten_seconds() -> None:
    clock = Clock()
    counted = answers(clock, person=3)

    assert [counted.take("C1", "otto") for _ in range(4)] == [True, True, True, False]
    clock.now += 9.9
    assert not counted.take("C1", "otto")
    clock.now += 0.1
    assert counted.take("C1", "otto")
    assert not counted.take("C1", "otto")


def test_one_persons_answers_are_no_one_elses_and_those_of_one_channel() -> None:
    counted = answers(Clock(), person=1)
    assert counted.take("C1", "otto")

    assert not counted.take("C1", "otto")
    assert counted.take("C1", "ann")
    assert counted.take("C2", "otto")


def test_a_channel_has_a_burst_for_all_people() -> None:
    clock = Clock()
    counted = answers(clock, channel=2)

    assert [counted.take("C1", person) for person in ("otto", "ann", "ben")] == [True, True, False]
    clock.now += 5.0
    assert counted.take("C1", "ben")


def test_refused_public_answer_does_not_count() -> None:
    clock = Clock()
    counted = answers(clock, person=1)
    assert counted.take("C1", "otto")
    for _ in range(100):
        assert not counted.take("C1", "otto")

    clock.now += 10.0

    assert counted.take("C1", "otto")
