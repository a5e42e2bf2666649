"""`on_alert` is called inside the transaction that stores the alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.evaluator import Evaluator
from bot.alerts.messages import AlertMessages, AlertMessageWriter, OnAlert
from bot.config.alerts_file import default_rules
from bot.leader import Fence
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.postgres import alerts, leases
from services.clients.postgres.pool import Connection, Database
from services.domain.alerts import AlertChange, AlertEvent, Severity
from services.domain.errors import SourceError
from services.domain.services import Service
from tests.integration.bot.conftest import System


def watch(world: World, on_alert: OnAlert) -> Evaluator:
    rules = default_rules()
    messages = AlertMessages(rules, channel="c")
    message_writer = AlertMessageWriter(rules, messages, environment="prod", metrics=Metrics(), on_alert=on_alert)
    return Evaluator(world, database(world), rules, message_writer, wake_ups=WakeUps())


def database(world: World) -> Database:
    assert world.database is not None
    return world.database


async def lead(world: World) -> Fence:
    async with database(world).transaction() as conn:
        epoch = await leases.take_lease(conn, name="leader", owner="me", duration=timedelta(minutes=1))
    assert epoch is not None
    return Fence("me", epoch)


async def test_alert_event_reports_the_change_of_the_alert(world: World, system: System) -> None:
    reported: list[AlertEvent] = []

    async def act(_conn: Connection, event: AlertEvent) -> None:
        reported.append(event)

    system.beat("enforcement-1", "enforcement_engine")
    system.beat("ingest-1", ago_s=301)
    fence, ours = await lead(world), watch(world, act)
    await ours.tick(fence)
    system.beat("ingest-2")
    await ours.tick(fence)

    assert [event.change for event in reported] == [AlertChange.FIRED, AlertChange.RESOLVED]
    assert {(event.severity, event.service, event.message_key) for event in reported} == {
        (Severity.PAGE, Service.INGEST, f"alert:{reported[0].alert_id}")
    }
    assert [event.line.split(",")[0] for event in reported] == [
        "PAGE prod · ingest is down (0 of 1)",
        "Resolved prod · ingest 1 of 1 alive",
    ]


async def test_alert_is_not_stored_when_no_one_could_act_on_it(world: World, system: System) -> None:
    async def fail(_conn: Connection, _event: AlertEvent) -> None:
        raise SourceError("database", "away")

    system.beat("enforcement-1", "enforcement_engine")
    system.beat("ingest-1", ago_s=301)
    with pytest.raises(SourceError):
        await watch(world, fail).tick(await lead(world))

    async with database(world).read() as conn:
        assert await alerts.list_alerts(conn, now=datetime.now(UTC), again_within=timedelta(hours=1)) == []
