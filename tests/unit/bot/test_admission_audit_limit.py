"""A flood of refusals or sensitive reads becomes a few rows of the audit log, which count all of them."""

from __future__ import annotations

import contextlib

from bot.admission import AUDIT_EVERY_S, AUDIT_ROWS_PER_PERSON, AUDITED_AT_MOST, OTHER_ACTS, AuditLimit
from services.domain.errors import SourceError


def test_one_row_per_person_request_and_minute_with_the_number_held_back() -> None:
    now = [0.0]
    limit = AuditLimit(lambda: now[0])

    assert limit.count("U1", "silence") == 1
    assert [limit.count("U1", "silence") for _ in range(500)] == [None] * 500
    assert limit.count("U1", "drill") == 1
    assert limit.count("U2", "silence") == 1
    now[0] = AUDIT_EVERY_S - 0.1
    assert limit.count("U1", "silence") is None
    now[0] = AUDIT_EVERY_S
    assert limit.count("U1", "silence") == 502
    now[0] = 2 * AUDIT_EVERY_S
    assert limit.count("U1", "silence") == 1


def test_a_person_who_goes_from_one_button_to_the_next_is_held_back_too_and_no_one_else_is() -> None:
    now = [0.0]
    limit = AuditLimit(lambda: now[0])

    counts = [limit.count("U1", f"run.approve {number}") for number in range(AUDIT_ROWS_PER_PERSON + 30)]

    assert counts == [1] * AUDIT_ROWS_PER_PERSON + [None] * 30
    assert limit.count("U2", "run.approve 1") == 1
    now[0] = AUDIT_EVERY_S
    assert limit.count("U1", "run.approve 1000") == 31
    assert limit.count("U1", "run.approve 1001") == 1


def test_audit_limit_gives_out_held_back_counts_once_and_takes_them_back() -> None:
    now = [0.0]
    limit = AuditLimit(lambda: now[0])
    for who in ("U1", "U2"):
        for _ in range(3):
            limit.count(who, "silence")
    for number in range(AUDIT_ROWS_PER_PERSON + 4):
        limit.count("U3", f"run.approve {number}")

    assert limit.take_held_back(most=50) == {}
    now[0] = AUDIT_EVERY_S
    assert limit.take_held_back(most=1) == {"U1": {"silence": 2}}
    rest = {"U2": {"silence": 2}, "U3": {OTHER_ACTS: 4}}
    assert limit.take_held_back(most=50) == rest
    assert limit.take_held_back(most=50, at_once=True) == {}
    limit.give_back(rest)
    assert limit.count("U2", "silence") == 3
    assert limit.take_held_back(most=50) == {"U3": {OTHER_ACTS: 4}}
    limit.count("U2", "silence")
    assert limit.take_held_back(most=50, at_once=True) == {"U2": {"silence": 1}}


def test_audit_limit_keeps_held_back_counts_in_a_flood_of_other_people() -> None:
    now = [0.0]
    limit = AuditLimit(lambda: now[0])
    limit.count("U0", "silence")
    limit.count("U0", "silence")
    now[0] = AUDIT_EVERY_S

    for number in range(1, AUDITED_AT_MOST // 2 + 5):
        limit.count(f"U{number}", "silence")
        now[0] += 1.0

    assert limit.take_held_back(most=1) == {"U0": {"silence": 1}}


def test_audit_limit_what_a_failed_transaction_counted_is_due_at_once_and_the_next_row_says_so() -> None:
    limit = AuditLimit(lambda: 0.0)

    def refuse_in_failing_transaction() -> int | None:
        found: list[int | None] = []
        with contextlib.suppress(SourceError), limit.counting() as count:
            found.append(count("U1", "silence"))
            raise SourceError("database", "gone", retryable=True)
        return found[0]

    assert refuse_in_failing_transaction() == 1
    assert refuse_in_failing_transaction() == 2
    with limit.counting() as count:
        assert count("U1", "silence") == 3
    assert refuse_in_failing_transaction() is None
    assert limit.count("U1", "silence") is None, "the row was written in this minute"


def test_audit_limit_keeps_what_others_counted_while_a_transaction_fails() -> None:
    limit = AuditLimit(lambda: 0.0)

    with contextlib.suppress(SourceError), limit.counting() as count:
        assert count("U1", "audit") == 1
        assert limit.count("U1", "audit") is None, "a second reader, meanwhile"
        raise SourceError("database", "gone", retryable=True)

    assert limit.count("U1", "audit") == 3


def test_audit_limit_failed_rows_use_up_none_of_the_persons_rows() -> None:
    limit = AuditLimit(lambda: 0.0)
    for number in range(2 * AUDIT_ROWS_PER_PERSON):
        with contextlib.suppress(SourceError), limit.counting() as count:
            assert count("U1", f"run.approve {number}") == 1
            raise SourceError("database", "gone", retryable=True)

    assert limit.count("U1", "audit") == 1


def test_audit_limit_remembers_a_bounded_number_of_people() -> None:
    limit = AuditLimit(lambda: 0.0)

    for number in range(AUDITED_AT_MOST + 5):
        assert limit.count(f"U{number}", "silence") == 1
    assert limit.count(f"U{AUDITED_AT_MOST + 4}", "silence") is None
