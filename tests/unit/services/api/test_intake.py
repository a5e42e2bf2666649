from __future__ import annotations

from services.api.intake import faults_of
from services.clients.postgres.intake import FailedRow


def test_reports_each_fault_of_a_row_with_its_column() -> None:
    row = FailedRow(7, "Judgment Amount: no amount; the line has more cells than the header")

    assert faults_of(row) == [
        (7, "Judgment Amount", "no amount"),
        (7, "", "the line has more cells than the header"),
    ]
