"""A flood of refusals is a few rows of the audit log, which still tell how many there were."""

from __future__ import annotations

from bot.approvals.refusals import EVERY_S, MOST, Refusals


def test_one_row_per_person_verb_and_minute_with_the_number_of_those_held_back() -> None:
    now = [0.0]
    refusals = Refusals(lambda: now[0])

    assert refusals.count("U1", "silence") == 1
    assert [refusals.count("U1", "silence") for _ in range(500)] == [None] * 500
    assert refusals.count("U1", "drill") == 1
    assert refusals.count("U2", "silence") == 1
    now[0] = EVERY_S - 0.1
    assert refusals.count("U1", "silence") is None
    now[0] = EVERY_S
    assert refusals.count("U1", "silence") == 502
    now[0] = 2 * EVERY_S
    assert refusals.count("U1", "silence") == 1


def test_what_is_remembered_is_bounded() -> None:
    refusals = Refusals(lambda: 0.0)

    for number in range(MOST + 5):
        assert refusals.count(f"U{number}", "silence") == 1
    assert refusals.count(f"U{MOST + 4}", "silence") is None
