"""Reads alerts and silences as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.facts._world import World
from services.domain.alerts import AlertHistory, Silence
from services.domain.errors import Unavailable
from services.postgres import alerts, silences
from services.postgres.clock import read_clock
from services.postgres.pool import Connection

REMEMBERED = timedelta(days=30)  # as long as decisions are kept


async def read_silences(world: World) -> list[Silence] | Unavailable:
    """Those that last, the next to end first."""
    return await world.read(silences.list_silences)


async def read_histories(world: World, fingerprints: Sequence[str], *, limit: int) -> list[AlertHistory] | Unavailable:
    """In the given order, at most `limit` decisions each, newest first."""
    return await world.read(lambda conn: _read_histories(conn, fingerprints, limit))


async def _read_histories(conn: Connection, fingerprints: Sequence[str], limit: int) -> list[AlertHistory]:
    now = await read_clock(conn)
    known = {alert.fingerprint: alert for alert in await alerts.list_alerts(conn, now=now, again_within=REMEMBERED)}
    return [
        AlertHistory(name, known.get(name), tuple(await alerts.list_alert_decisions(conn, name, limit=limit)))
        for name in fingerprints
    ]
