"""A problem that has cleared and may return: the stored line, the incident's root message, and its end."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from services.domain.alerts import AlertState
from services.domain.text import clock_time
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import System


async def beat(engine: Engine, system: System, *, ago_s: float) -> None:
    system.conn.execute(
        "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - make_interval(secs => %s) "
        "WHERE worker_id = 'ingest-1'",
        (ago_s,),
    )
    await engine.tick()


def root(engine: Engine) -> str:
    with psycopg.connect(engine.urls.superuser) as conn:
        row = conn.execute("SELECT text || blocks::text FROM chatops.outbox WHERE key = 'incident:1'").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.usefixtures("incident_store")
async def test_a_worker_that_flapped_is_fine_and_watched_in_every_message(engine: Engine, working: System) -> None:
    for _ in range(2):
        await beat(engine, working, ago_s=310)
        await beat(engine, working, ago_s=0)

    one = (await engine.alerts())["heartbeats.ingest"]
    assert one.fine_since is not None
    until = clock_time(one.fine_since + timedelta(seconds=engine.rules.telling.quiet_s))
    calm = f"fine since {clock_time(one.fine_since)}, watched until {until}"
    assert one.line.startswith(f"prod · ingest 1 of 1 alive · {calm}")
    assert calm in root(engine)

    with psycopg.connect(engine.urls.owner) as conn:
        conn.execute("UPDATE chatops.alerts SET fine_since = fine_since - interval '1 day'")
    await engine.tick()

    one = (await engine.alerts())["heartbeats.ingest"]
    assert (one.state, one.line) == (AlertState.RESOLVED, "Resolved prod · ingest 1 of 1 alive")
    assert "watched until" not in root(engine)
