"""A flood of refusals or sensitive reads is a few rows of the audit log, which still tell how many there were."""

from __future__ import annotations

from bot.admission import AUDIT_EVERY_S, AUDIT_ROWS_PER_PERSON, AUDITED_AT_MOST, AuditLimit


def test_one_row_per_person_deed_and_minute_with_the_number_of_those_held_back() -> None:
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


def test_a_row_that_failed_is_due_again_at_once() -> None:
    limit = AuditLimit(lambda: 0.0)
    assert limit.count("U1", "env") == 1

    limit.was_not_written("U1", "env")

    assert limit.count("U1", "env") == 1
    assert limit.count("U1", "env") is None


def test_what_is_remembered_is_bounded() -> None:
    limit = AuditLimit(lambda: 0.0)

    for number in range(AUDITED_AT_MOST + 5):
        assert limit.count(f"U{number}", "silence") == 1
    assert limit.count(f"U{AUDITED_AT_MOST + 4}", "silence") is None
