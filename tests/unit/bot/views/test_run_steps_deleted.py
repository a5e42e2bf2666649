"""A run whose steps have been deleted says so, instead of "nothing was begun"."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.views.run import run_message
from bot.views.runs import record_answer
from services.domain.runs import Record, RunState
from tests.runs import new_run

AT = datetime(2020, 11, 23, 12, tzinfo=UTC)


def test_a_run_whose_steps_were_deleted_reports_so() -> None:
    for playbook in ("rollback", "golden-path"):
        run = new_run(AT, state=RunState.SUCCEEDED, playbook=playbook, approved_at=AT, started_at=AT, ended_at=AT)
        record = Record(run, (), ())

        for shown in (str(run_message(record)), str(record_answer(record).blocks)):
            assert "Step results were deleted" in shown
            assert "No step was started" not in shown
