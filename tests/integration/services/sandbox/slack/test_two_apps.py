"""Two apps in one workspace: each gets its own commands, clicks, mentions and direct messages, and no others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from slack_sdk.web.async_client import AsyncWebClient

from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.control import build_router, build_slack_router
from services.sandbox.slack.delivery import Envelope
from services.sandbox.slack.model import Json
from services.sandbox.slack.workspace import Workspace
from tests.serving import no_proxy as no_proxy
from tests.serving import serve


class Took:
    """An app's end of the delivery: keeps what Slack delivers to it."""

    def __init__(self) -> None:
        self.payloads: list[Json] = []

    async def send(self, envelope: Envelope) -> Json:
        self.payloads.append(envelope.payload)
        return {}

    async def close(self) -> None:
        return

    def kinds(self) -> list[str]:
        """Return "/dragonfly", "block_actions", "app_mention", …, in order."""
        events = [one.get("event") or one for one in self.payloads]
        return [str(one.get("command") or one["type"]) for one in events]


@pytest.fixture
async def apps() -> AsyncIterator[tuple[Workspace, Workspace]]:
    prod = Workspace()
    app = FastAPI()
    app.include_router(build_router(prod))
    async with serve(app) as url:
        prod.base_url = url
        staging = prod.install(model.STAGING, base_url=f"{url}/staging", channel=model.staging_channel())
        app.include_router(build_slack_router(staging), prefix="/staging")
        yield prod, staging
        await staging.close()
        await prod.close()


async def test_each_app_gets_its_own_command_click_mention_and_direct_message_only(
    apps: tuple[Workspace, Workspace],
) -> None:
    took = {app.app.id: Took() for app in apps}
    for app in apps:
        app.delivery = took[app.app.id]
        channel = app.channels[app.app.channel]
        ann = acting_as(apps[0], model.ANN.id)  # a person belongs to the workspace, not to an app
        client = AsyncWebClient("xoxb-local", base_url=f"{app.base_url}/slack/api/", retry_handlers=[])
        button: Json = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        posted = await client.chat_postMessage(
            channel=channel.id, text="Press", blocks=[{"type": "actions", "elements": [button]}]
        )
        await client.views_publish(user_id=model.ANN.id, view={"type": "home", "blocks": []})
        assert (await client.auth_test())["user_id"] == app.bot.id

        assert await ann.type(channel.id, f"{app.app.command} health") is None
        assert await ann.click(channel.id, str(posted["ts"]), "go") is None
        assert await ann.type(channel.id, f"@{app.bot.name} health") is None
        assert await ann.type(app.direct_channel(model.ANN.id).id, "health") is None
        while any(one.is_delivering for one in apps):
            await asyncio.sleep(0.01)

    prod, staging = (took[app.app.id] for app in apps)
    for one, app in zip((prod, staging), apps, strict=True):
        assert sorted(one.kinds()) == sorted([app.app.command, "block_actions", "app_mention", *["message"] * 3]), (
            one.kinds()
        )
        assert {payload["api_app_id"] for payload in one.payloads} == {app.app.id}
    assert apps[0].home_for(model.ANN.id) is not apps[1].home_for(model.ANN.id)


async def test_command_of_an_app_that_is_not_connected_fails_as_in_slack(apps: tuple[Workspace, Workspace]) -> None:
    ann = acting_as(apps[0], model.ANN.id)

    assert await ann.type(model.STAGING_ID, "/dragonfly-staging health") == "dispatch_failed"
    assert await ann.type(model.STAGING_ID, "/dragonfly-qa health") == "/dragonfly-qa is not a valid command."
