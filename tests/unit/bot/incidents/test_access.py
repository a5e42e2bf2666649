"""The limit of incidents that one person opens, and the people it holds for."""

from __future__ import annotations

from datetime import timedelta

from bot.approvals.access import Allowed, Refused
from bot.incidents.access import OPENED_AT_MOST, is_limited, may_open_another
from bot.people import Account, Members, People
from services.domain.errors import Unavailable
from services.domain.people import Person, Profile


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


def test_only_people_who_are_known_not_to_manage_incidents_are_limited() -> None:
    otto, ann = Person("U0OTTO", "T1"), Person("U0ANN", "T1")
    known: dict[str, Members | Unavailable] = {"S0OPS": Members(frozenset({"U0ANN"}), timedelta())}
    away = {**known, "S0ONCALL": Unavailable("Slack", "no answer")}
    accounts = {one.user_id: Account(Profile("T1")) for one in (otto, ann)}

    def limited(person: Person, groups: dict[str, Members | Unavailable]) -> bool:
        return is_limited(person, People("T1", groups, accounts), groups)

    assert [limited(otto, known), limited(ann, known)] == [True, False]
    assert [limited(otto, away), limited(ann, away)] == [False, False]
    assert limited(otto, {})
    guest = People("T1", away, {otto.user_id: Account(Profile("T1", is_guest=True))})
    assert is_limited(otto, guest, away), "a guest manages nothing, whatever group they are in"
