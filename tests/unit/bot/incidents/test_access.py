"""Who may open one incident more."""

from __future__ import annotations

from bot.approvals.access import Allowed, Refused
from bot.incidents.access import OPENED_AT_MOST, may_open_another


def test_one_more_may_be_opened_below_the_limit_and_none_at_it() -> None:
    assert isinstance(may_open_another(range(OPENED_AT_MOST - 1), ["S1"]), Allowed)

    refused = may_open_another([7, 8, 9], ["S1"])

    assert isinstance(refused, Refused)
    assert "(7, 8, 9)" in refused.why
    assert "<!subteam^S1>" in refused.what_next


def test_without_any_list_it_reports_that_no_one_can_open_more() -> None:
    refused = may_open_another([7, 8, 9], [])

    assert isinstance(refused, Refused)
    assert "no one, see `check-config`" in refused.what_next
