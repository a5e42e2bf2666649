from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.csv_files.identifiers import COUNTIES
from services.enforcement_worker.assess import Case, assess
from services.enforcement_worker.law import Debt
from services.enforcement_worker.memo import Profile, facts_of, memo_id_of, profile_of
from tests.unit.services.enforcement_worker.cases import TODAY, case

amounts = st.decimals(min_value="0.01", max_value="999999999999.99", places=2).map(str)
entries = st.dates(min_value=date(1950, 1, 1), max_value=TODAY)


def profile(known: Case) -> Profile:
    found = profile_of(known, assess(known, as_of=TODAY))
    assert found is not None
    return found


WORDS = {
    *COUNTIES,
    "unknown",
    *Debt,
    *("below 1,000", "1,000 to 2,000", "2,000 to 5,000", "5,000 to 10,000", "10,000 to 25,000", "25,000 to 100,000"),
    *("above 100,000", "nothing"),
    *(
        f"{share} of the judgment, the last {when}"
        for share in ("half or more", "less than half")
        for when in ("within a year", "longer ago")
    ),
    *("less than 1 year", "1 to 3 years", "3 to 5 years", "5 to 9 years", "9 to 10 years", "10 to 15 years"),
    *("15 to 19 years", "19 to 20 years", "20 years or more"),
    *("more than a year left", "in its last year", "ended", "within two years", "later"),
    *(f"{points} or more of 100" for points in (0, 20, 40, 60, 80, 100)),
    *("information_subpoena", "docket_transcript", "renew_lien"),
}


@given(amounts, st.text(), entries, st.sampled_from([None, *Debt]))
def test_reports_nothing_but_words_of_our_own(amount: str, county: str, entered: date, debt: Debt | None) -> None:
    known = case(amount=amount, county=county, entered=entered, debt=debt)
    found = profile_of(known, assess(known, as_of=TODAY))

    if found is not None:
        facts = json.loads(facts_of(found))
        assert facts.pop("amount_in_doubt") in (True, False)
        assert set(facts.values()) <= WORDS


@pytest.mark.parametrize(
    ("written", "reported"),
    [("Kings", "Kings"), ("ST LAWRENCE COUNTY", "St. Lawrence"), ("Jane Doe, 12 Main St", "unknown"), ("", "unknown")],
)
def test_only_a_county_that_exists_is_named(written: str, reported: str) -> None:
    assert profile(case(county=written)).county == reported


@pytest.mark.parametrize(
    ("entered", "age", "lien"),
    [
        (TODAY, "less than 1 year", "year left"),
        (date(2024, 12, 20), "1 to 3 years", "year left"),
        (date(2016, 12, 20), "9 to 10 years", "in its last year"),
        (date(2015, 12, 20), "10 to 15 years", "ended"),
    ],
)
def test_days_become_ages(entered: date, age: str, lien: str) -> None:
    found = profile(case(entered=entered))

    assert found.age == age
    assert found.lien.endswith(lien)


@pytest.mark.parametrize(("entered", "word"), [(date(2007, 12, 20), "within two years"), (date(2007, 12, 21), "later")])
def test_reports_whether_the_presumption_is_near(entered: date, word: str) -> None:
    assert profile(case(entered=entered)).presumption == word


@pytest.mark.parametrize(
    ("paid", "reported"),
    [
        ((), "nothing"),
        (((TODAY, "2499.99"),), "less than half of the judgment, the last within a year"),
        (((date(2024, 12, 20), "2500.00"),), "half or more of the judgment, the last longer ago"),
        (((TODAY + timedelta(days=1), "2500.00"),), "nothing"),
    ],
)
def test_payments_become_a_share(paid: tuple[tuple[date, str], ...], reported: str) -> None:
    assert profile(case(entered=date(2024, 6, 1), paid=paid)).paid == reported


@pytest.mark.parametrize("over", [case(entered=date(2000, 1, 1)), case(paid=((TODAY, "9999.00"),))])
def test_profile_is_none_when_nothing_can_be_collected(over: Case) -> None:
    assert profile_of(over, assess(over, as_of=TODAY)) is None


def test_cases_that_look_alike_share_a_memo_and_others_do_not() -> None:
    one, alike, other = profile(case(amount="5000.00")), profile(case(amount="5100.00")), profile(case(amount="9.00"))

    assert memo_id_of(one, question="q") == memo_id_of(alike, question="q")
    assert memo_id_of(one, question="q") != memo_id_of(other, question="q")
    assert memo_id_of(one, question="q") != memo_id_of(one, question="another")
