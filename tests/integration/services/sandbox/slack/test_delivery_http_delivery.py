import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp

from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.delivery import HttpDelivery
from services.sandbox.slack.model import INCIDENTS_ID, OLIVIA
from services.sandbox.slack.workspace import Workspace
from tests.serving import serve


@pytest.fixture
async def bolt(app: AsyncApp, workspace: Workspace) -> AsyncIterator[AsyncApp]:
    """The app behind a real HTTP server, to which the workspace delivers."""
    web, handler = FastAPI(), AsyncSlackRequestHandler(app)

    @web.post("/slack/events")
    async def events(request: Request) -> Response:
        return await handler.handle(request)

    async with serve(web) as url:
        workspace.delivery = HttpDelivery(f"{url}/slack/events", "local-secret", ack_within_s=60.0)
        yield app
        await workspace.close()


async def test_a_command_is_signed_and_acknowledged(workspace: Workspace, bolt: AsyncApp) -> None:
    @bolt.command("/dragonfly")
    async def dragonfly(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"you asked for {command['text']}")

    assert await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health") is None

    assert [m.text for m in workspace.messages_for(OLIVIA.id, INCIDENTS_ID)] == ["you asked for health"]


async def test_the_challenge_is_answered(workspace: Workspace, bolt: AsyncApp) -> None:
    assert bolt
    assert isinstance(workspace.delivery, HttpDelivery)
    assert await workspace.delivery.verify_url()


async def test_a_wrong_secret_is_refused_by_the_app(workspace: Workspace, bolt: AsyncApp) -> None:
    assert bolt
    assert isinstance(workspace.delivery, HttpDelivery)
    delivery = workspace.delivery
    workspace.delivery = HttpDelivery(delivery.url, "another-secret")
    await delivery.close()

    assert await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health") == "dispatch_failed"


async def test_a_slow_acknowledgement_is_a_timeout(workspace: Workspace, bolt: AsyncApp) -> None:
    reported = asyncio.Event()

    @bolt.command("/dragonfly")
    async def dragonfly(ack: Any) -> None:
        await reported.wait()
        await ack()

    assert isinstance(workspace.delivery, HttpDelivery)
    patient = workspace.delivery
    workspace.delivery = HttpDelivery(patient.url, "local-secret", ack_within_s=0.5)
    await patient.close()

    assert await acting_as(workspace, OLIVIA.id).type(INCIDENTS_ID, "/dragonfly health") == "operation_timeout"

    reported.set()


async def test_an_event_is_retried_with_its_headers(workspace: Workspace, bolt: AsyncApp) -> None:
    retries: list[tuple[str, ...]] = []

    @bolt.middleware
    async def fail_first(req: Any, next: Any) -> Any:  # noqa: A002  # Bolt's own name
        retries.append(tuple(req.headers.get(f"x-slack-retry-{name}", [""])[0] for name in ("num", "reason")))
        if len(retries) > 1:
            await next()

    @bolt.event("app_mention")
    async def mentioned() -> None:
        pass

    workspace.subscribed_events = frozenset({"app_mention"})
    workspace.events.retry_after_s = (0.0,)

    acting_as(workspace, OLIVIA.id).say(INCIDENTS_ID, "@dragonfly health")

    async with asyncio.timeout(60):
        while len(retries) < 2:
            await asyncio.sleep(0.005)
    assert retries == [("", ""), ("1", "http_error")]
