"""Approved runs, carried out from end to end."""

from __future__ import annotations

from services.domain.runs import RunState, StepState
from tests.integration.bot.runs.conftest import Bench

INGEST = "dragonfly-worker-ingest"


async def test_scales_one_more_and_proves_it(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert (run.state, run.outcome) == (RunState.SUCCEEDED, "Done, and every step is proved."), steps
    assert {step.state for step in steps} == {StepState.DONE}
    assert sum(bench.railway.find_service(INGEST).regions.values()) == 2
    assert bench.wire.mutations == ["commitPatch"]
