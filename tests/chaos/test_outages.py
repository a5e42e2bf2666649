"""30 s without Postgres at the worst moments, with the leases of production."""

from __future__ import annotations

import asyncio
import time

import pytest

from bot.config.timing import RunSettings
from services.domain.runs import RunState, StepState
from tests.chaos.conftest import Record
from tests.conftest import DatabaseUrls
from tests.integration.bot.runs.conftest import MakeBench
from tests.wire import Line

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

AWAY_S = 30.0


@pytest.mark.parametrize("moment", ["a call is out", "while it waits"])
async def test_postgres_away(make_bench: MakeBench, database_urls: DatabaseUrls, record: Record, moment: str) -> None:
    async with Line(database_urls.bot).serve() as line:
        bench = await make_bench(dsn=line.dsn, settings=RunSettings(), SOAK_SECONDS="5")
        hold = bench.wire.hold("commitPatch", "after") if moment == "a call is out" else None
        run_id = await bench.file_command("scale", service="ingest", to="2")
        for _ in range(2):
            bench.start_runner()
        if hold is not None:
            await hold.reached.wait()
        else:
            await bench.until(run_id, lambda _, steps: steps[4].state is StepState.RUNNING, timeout_s=60)
        line.cut()
        if hold is not None:
            hold.release()
        await asyncio.sleep(AWAY_S)
        line.mend()
        back_at = time.monotonic()

        run, steps = await bench.ended(run_id, timeout_s=90)

        assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
        assert bench.wire.mutations == ["commitPatch"]
        away, done_s = f"Postgres away for {AWAY_S:.0f} s", time.monotonic() - back_at
        record(act="ScaleService", boundary=away, how=moment, done_s=done_s)
        await bench.stop_runners()
        await bench.database.close()
