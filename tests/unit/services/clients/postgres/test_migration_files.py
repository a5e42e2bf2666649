"""The names and the content of migration files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.clients.postgres.migrations import MIGRATIONS, read_files
from services.clients.postgres.rollbacks import ROLLBACKS, read_rollbacks
from services.domain.errors import OperatorError


def test_files_come_in_the_order_of_their_versions(tmp_path: Path) -> None:
    (tmp_path / "20260102000000_b.sql").write_text("SELECT 2")
    (tmp_path / "20260101000000_a.sql").write_text("SELECT 1")

    assert [file.title for file in read_files(tmp_path)] == ["20260101000000_a", "20260102000000_b"]


@pytest.mark.parametrize("name", ["20260101_short.sql", "20260101000000-dash.sql", "20260101000000_Upper.sql"])
def test_a_name_that_does_not_fit_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    with pytest.raises(OperatorError, match=re.escape(name)):
        read_files(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").touch()
    (tmp_path / "20260101000000_b.sql").touch()

    with pytest.raises(OperatorError, match=r"20260101000000_b\.sql has no version"):
        read_files(tmp_path)


def test_our_files_leave_the_transaction_to_the_migrator() -> None:
    control = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", re.IGNORECASE | re.MULTILINE)
    files = [*MIGRATIONS.rglob("*.sql"), *ROLLBACKS.glob("*.sql")]

    assert [file.name for file in files if control.search(file.read_text())] == []


def test_each_rollback_belongs_to_a_migration() -> None:
    assert set(read_rollbacks()) <= {file.version for file in read_files()}
