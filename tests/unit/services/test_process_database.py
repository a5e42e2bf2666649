from __future__ import annotations

from services.process import retry_delay_s


def test_waits_longer_after_each_failure_up_to_a_limit() -> None:
    assert [retry_delay_s(failures) for failures in (1, 2, 3, 4, 5, 6, 10_000)] == [1, 2, 4, 8, 15, 15, 15]
