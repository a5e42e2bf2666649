"""The checks of exposures that the database's catalog shows."""

from __future__ import annotations

from playbooks.checks.security import check
from playbooks.model import Status
from services.domain.database import Exposure
from services.domain.errors import Unavailable
from services.domain.systems import RUNBOOK


def test_security_findings_are_ok_without_exposures() -> None:
    found = check([], RUNBOOK)

    assert {finding.status for finding in found} == {Status.OK}
    assert len(found) == 10


def test_many_exposures_are_counted_and_the_first_are_named() -> None:
    found = check([Exposure("grants", f"ops.t{n}", "anon", "SELECT") for n in range(7)], RUNBOOK)[0]

    assert (found.status, found.title) == (Status.FAIL, "7 exposures: grants")
    assert found.detail.startswith("ops.t0: anon SELECT; ")
    assert "2 more" in found.detail
    assert len(found.evidence["open"]) == 7  # type: ignore[arg-type]


def test_no_one_could_look_is_unknown() -> None:
    assert [f.status for f in check(Unavailable("database", "away"), RUNBOOK)] == [Status.UNKNOWN]
