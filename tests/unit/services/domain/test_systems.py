"""Recognition of the operated system by the columns of its database."""

from __future__ import annotations

import re

import pytest

from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK, SYSTEMS, System, recognize, system_with


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_system_is_recognized_by_its_columns_beside_others(system: System) -> None:
    found = recognize([*system.columns, "ops.job_queue.added_by_hand"])

    assert (found.system, found.nearest, found.missing, found.problem) == (system, system, (), None)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_one_missing_column_makes_a_system_unknown_and_is_named(system: System) -> None:
    gone = sorted(system.columns)[0]

    found = recognize(system.columns - {gone})

    assert (found.system, found.nearest, found.missing) == (None, system, (gone,))
    assert found.problem == f"the database holds an unknown system: {system.name} would have {gone}"


def test_an_empty_database_is_unknown_and_most_like_our_own_system() -> None:
    found = recognize([])

    assert (found.system, found.nearest) == (None, RUNBOOK)


def test_missing_columns_beyond_five_are_counted() -> None:
    problem = recognize([], adopted="civil").problem or ""

    assert ", ".join(sorted(CIVIL.columns)[:5]) in problem
    assert "more" not in problem  # five columns identify it


@pytest.mark.parametrize("adopted", ["runbook", "civil"])
def test_recognize_prefers_the_adopted_system_when_two_fit(adopted: str) -> None:
    found = recognize(RUNBOOK.columns | CIVIL.columns, adopted=adopted)

    assert found.nearest.name == adopted
    assert found.problem is None


def test_of_an_unknown_one_the_adopted_one_is_nearest() -> None:
    found = recognize(RUNBOOK.columns - {"ops.job_queue.error_message"}, adopted="civil")

    assert (found.system, found.nearest) == (None, CIVIL)


def test_another_system_than_the_adopted_one_is_a_problem() -> None:
    found = recognize(CIVIL.columns, adopted="runbook")

    assert found.system is CIVIL
    assert re.search(r"\bcivil\b.*\brunbook$", found.problem or "")


def test_a_system_is_known_by_its_services_where_all_of_them_are_there() -> None:
    mailer, four = Service("dragonfly-mailer"), CIVIL.services

    assert system_with([*four, mailer]) is CIVIL
    assert system_with([*RUNBOOK.services, mailer]) is RUNBOOK
    assert system_with(four[1:]) is None
