"""A worker dies: the channel gets one message, which is edited when it is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.domain.services import Service
from services.sandbox.railway.snapshot import ReplicaView
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message

if TYPE_CHECKING:
    from tests.e2e.conftest import Stage


pytestmark = pytest.mark.asyncio(loop_scope="module")

MISSES_WORKERS = True
BOTS = 2


async def test_a_killed_worker_raises_one_message_that_stays_true(stage: Stage) -> None:
    await asyncio.sleep(2 * stage.heartbeat_every_s)  # both replicas of the bot have read its heartbeat
    replica = _replica(stage, Service.INGEST)
    known = {message.ts for message in stage.messages()}

    stage.sandbox.railway.kill(replica.id)
    root = await _news(stage, known)

    assert "ingest" in root.text  # a missing heartbeat, or a crash that Railway reports: whichever is read first
    stage.sandbox.railway.start_replica(replica.id)
    await _until(stage, root, "CLEARED")
    await asyncio.sleep(stage.stale_after_s)
    assert [message.ts for message in filter(_is_root, stage.messages()) if message.ts not in known] == [root.ts]
    await _resolve(stage, root)


async def test_a_frozen_worker_is_reported_too(stage: Stage) -> None:
    replica = _replica(stage, Service.ENFORCEMENT)
    known = {message.ts for message in stage.messages()}

    stage.sandbox.railway.freeze(replica.id)

    root = await _news(stage, known)
    assert "enforcement" in root.text
    stage.sandbox.railway.thaw(replica.id)
    await _until(stage, root, "CLEARED")
    await _resolve(stage, root)


async def test_the_other_replica_of_the_bot_takes_over_when_the_leader_dies(stage: Stage) -> None:
    known = {message.ts for message in stage.messages()}
    first, second = stage.sandbox.bots
    await first.kill()
    replica = _replica(stage, Service.INGEST)

    stage.sandbox.railway.kill(replica.id)

    root = await _news(stage, known)
    assert "ingest" in root.text
    assert second.is_running
    stage.sandbox.railway.start_replica(replica.id)
    await _resolve(stage, root)
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
    assert logs.visible_to == model.OLIVIA.id


def _replica(stage: Stage, service: Service) -> ReplicaView:
    found = next(one for one in stage.sandbox.railway.snapshot().services if one.name == service)
    return next(replica for replica in found.replicas if replica.pid)


async def _news(stage: Stage, known: set[str]) -> Message:
    """Wait for the root message of a new incident."""
    return await stage.wait_for(lambda one: _is_root(one) and one.ts not in known)


async def _until(stage: Stage, root: Message, words: str) -> None:
    await stage.wait_for(lambda message: message.ts == root.ts and words in message.text)


async def _resolve(stage: Stage, root: Message) -> None:
    number = _key(root).removeprefix("incident:")
    line = f"/dragonfly incident resolve {number} it beats again"
    await acting_as(stage.sandbox.workspace, model.ANN.id).type(model.INCIDENTS_ID, line)
    await _until(stage, root, "RESOLVED")


def _key(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key"))


def _is_root(message: Message) -> bool:
    return _key(message).startswith("incident:")
