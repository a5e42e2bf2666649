"""A worker dies; the channel is told once, and told again in the same message when it is over."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from services.domain.services import Service
from services.sandbox.railway.snapshot import ReplicaView
from services.sandbox.slack import cast
from services.sandbox.slack.model import Message

if TYPE_CHECKING:
    from tests.e2e.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOLD_WITHIN_S = 2.0


async def test_a_killed_worker_raises_one_message_and_the_same_one_resolves(stage: Stage) -> None:
    await asyncio.sleep(2 * stage.heartbeat_every_s)  # both replicas of the bot have seen it beat
    replica = _replica(stage, Service.INGEST)
    known = {message.ts for message in stage.messages()}

    stage.sandbox.railway.kill(replica.id)
    killed_at = time.monotonic()
    alert = await stage.wait_for(
        lambda message: _is_alert(message) and message.ts not in known, timeout_s=stage.stale_after_s + 10
    )
    told_after_s = time.monotonic() - killed_at

    assert told_after_s <= stage.stale_after_s + TOLD_WITHIN_S  # its last beat was before the kill
    assert "ingest" in alert.text
    assert "0 of 1" in alert.text
    stage.sandbox.railway.start_replica(replica.id)
    await stage.wait_for(lambda message: message.ts == alert.ts and _is_resolved(message))
    await asyncio.sleep(stage.stale_after_s)
    alerts = filter(_is_alert, stage.messages())
    assert [message.ts for message in alerts if message.ts not in known] == [alert.ts]


async def test_a_frozen_worker_is_told_too(stage: Stage) -> None:
    replica = _replica(stage, Service.ENFORCEMENT)
    known = {message.ts for message in stage.messages()}

    stage.sandbox.railway.freeze(replica.id)

    alert = await stage.wait_for(lambda message: _is_alert(message) and message.ts not in known)
    assert "enforcement" in alert.text
    stage.sandbox.railway.thaw(replica.id)
    await stage.wait_for(lambda message: message.ts == alert.ts and _is_resolved(message))


async def test_the_other_replica_of_the_bot_takes_over_when_the_leader_dies(stage: Stage) -> None:
    known = {message.ts for message in stage.messages()}
    first, second = stage.sandbox.bots
    await first.kill()
    replica = _replica(stage, Service.INGEST)

    stage.sandbox.railway.kill(replica.id)

    alert = await stage.wait_for(lambda message: _is_alert(message) and message.ts not in known, timeout_s=30)
    assert "ingest" in alert.text
    assert second.is_running
    stage.sandbox.railway.start_replica(replica.id)
    await stage.wait_for(lambda message: message.ts == alert.ts and _is_resolved(message), timeout_s=30)
    await first.start()


async def test_without_postgres_the_bot_still_answers(stage: Stage) -> None:
    await stage.sandbox.database.stop_postgres()
    try:
        health = await stage.ask("/dragonfly health")
        deployments = await stage.ask("/dragonfly deployments api")
        logs = await stage.ask("/dragonfly logs api")
    finally:
        await stage.sandbox.database.start_postgres()

    assert "not healthy" in health.text
    assert stage.sha[:8] in str(deployments.blocks)
    assert logs.visible_to == cast.OLIVIA.id


async def test_slack_refused_nothing_that_the_bot_sent(stage: Stage) -> None:
    assert list(stage.sandbox.workspace.refusals) == []


def _replica(stage: Stage, service: Service) -> ReplicaView:
    found = next(one for one in stage.sandbox.railway.snapshot().services if one.name == service)
    return next(replica for replica in found.replicas if replica.pid)


def _is_alert(message: Message) -> bool:
    """The message of an alert, which is in the thread of the incident that it opened."""
    payload = (message.metadata or {}).get("event_payload", {})
    return str(payload.get("key")).startswith("alert:")


def _is_resolved(message: Message) -> bool:
    return "resolved" in message.text.lower()
