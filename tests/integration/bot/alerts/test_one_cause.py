"""One cause with two symptoms pages people once, in either order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import psycopg
import pytest

from bot.config.timing import EvaluatorSettings
from bot.incidents.store import IncidentStore
from services.domain.services import Service
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import Outside, System
from tests.outside import PATIENCE_S

See = Callable[[System, Outside], None]


def fall_silent(system: System, outside: Outside) -> None:  # noqa: ARG001 - as the other
    system.run(
        "UPDATE ops.worker_heartbeats SET last_heartbeat_at = now() - interval '301 seconds'"
        " WHERE worker_id = 'ingest-1'"
    )


def crash(system: System, outside: Outside) -> None:  # noqa: ARG001 - as the other
    outside.instances[Service.INGEST] = "CRASHED"


async def blocks(engine: Engine, key: str) -> str:
    """Return the blocks of a message, as JSON."""
    async with await psycopg.AsyncConnection.connect(engine.urls.superuser) as conn:
        cur = await conn.execute("SELECT blocks::text FROM chatops.outbox WHERE key = %s", [key])
        row = await cur.fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture(autouse=True)
def always_asks(engine: Engine) -> None:
    """Railway is asked at each evaluation."""
    engine.world.settings = replace(engine.world.settings, evaluator=EvaluatorSettings(railway_every_s=0))


async def look_until_it_fires(engine: Engine, fingerprint: str) -> None:
    """Evaluate until the alert fires: Railway's answer may arrive after the evaluation that asked for it."""
    async with asyncio.timeout(PATIENCE_S):
        while fingerprint not in await engine.alerts():
            await engine.tick()


SILENCE, CRASH = "heartbeats.ingest", "crash_loop.ingest"
SEEN: Mapping[str, tuple[See, str]] = MappingProxyType(
    {SILENCE: (fall_silent, "ingest is down (0 of 1)"), CRASH: (crash, "ingest crashed (Railway)")}
)


@pytest.mark.parametrize(("first", "second"), [(CRASH, SILENCE), (SILENCE, CRASH)])
async def test_a_killed_worker_s_crash_and_its_silence_are_one_incident_and_one_call(
    engine: Engine, incident_store: IncidentStore, working: System, outside: Outside, first: str, second: str
) -> None:
    incident_store.place = replace(incident_store.place, approvers=("U0ANN",))
    await engine.tick()
    for fingerprint in (first, second):
        plant, _ = SEEN[fingerprint]
        plant(working, outside)
        await look_until_it_fires(engine, fingerprint)

    posted = {one.key: one for one in await engine.posted()}
    assert SEEN[first][1] in posted["incident:1"].text
    assert SEEN[second][1] not in await blocks(engine, "incident:1")  # the second symptom of the same cause
    assert [key for key in posted if ":page:" in key] == ["incident:1:page:1"]
    assert "incident:2" not in posted
    own = [one for key, one in posted.items() if key.startswith("alert:") and key.count(":") == 1]
    assert [one.thread_key for one in own] == ["incident:1", "incident:1"]
    due = working.conn.execute("SELECT key FROM chatops.outbox WHERE next_try_at <= clock_timestamp()").fetchall()
    assert not {one.key for one in own} & {key for (key,) in due}  # the root message shows them
