"""The page's switch: the first person who chooses the second environment starts it, once, and it has its own page."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.sandbox.environment import PROD, STAGING
from services.sandbox.page.app import build_router
from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from services.sandbox.slack.model import Json, Message
from services.sandbox.slack.workspace import Workspace
from services.sandbox.switch import Switch
from tests.integration.services.sandbox.page.test_page import COMMANDS, Bot, Database


async def test_switch_starts_the_second_environment_once_and_each_page_stays_within_its_own(tmp_path: Path) -> None:
    prod, started = Workspace(), []
    staging = prod.install(model.STAGING, base_url="/staging", channel=model.staging_channel())

    async def start() -> None:
        await asyncio.sleep(0)
        started.append("staging")

    async def fill() -> None:
        return

    switch, app = Switch((PROD, STAGING), start, fill), FastAPI()
    for workspace, prefix in ((prod, ""), (staging, "/staging")):
        railway = LocalRailway([], directory=tmp_path, working_directory=tmp_path, token="t")
        page = build_router(workspace, railway, Phones(), Database(), Bot(), COMMANDS, switch=switch, prefix=prefix)
        app.include_router(page, prefix=prefix)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as client:
        assert "data-start-environment" in (await client.get("/")).text
        answers = await asyncio.gather(*(client.post("/page/start-environment") for _ in range(5)))
        assert [answer.json() for answer in answers] == [{"prefix": "/staging"}] * 5
        assert started == ["staging"]

        _open_modal(staging)
        here, there = (await client.get("/")).text, (await client.get("/staging/")).text
        assert "data-start-environment" not in here
        assert 'placeholder="Message #dragonfly-incidents"' in here
        assert 'placeholder="Message #dragonfly-staging"' in there
        assert 'data-insert="dragonfly-staging health"' in there
        assert set(re.findall(r'hx-get="(/staging)?/page/', there)) == {"/staging"}
        assert set(re.findall(r'href="(/staging)?/\?[^"]*in=C', there)) == {"/staging"}
        assert all("Of staging" in html for html in (here, there))  # a person's modal is on both pages


async def test_switch_does_not_start_the_second_environment_again_where_it_could_not_be_filled() -> None:
    started = []

    async def start() -> None:
        started.append("staging")

    async def fill() -> None:
        raise OSError("no file")

    switch = Switch((PROD, STAGING), start, fill)
    with pytest.raises(OSError, match="no file"):
        await switch.start()

    assert await switch.start() == "/staging"
    assert started == ["staging"]


def _open_modal(app: Workspace) -> None:
    text: Json = {"type": "plain_text", "text": "Of staging"}
    app.post(Message(model.STAGING_ID, app.new_ts(), app.bot.id, "Press", bot_id=app.bot_id))
    app.views.open(model.OLIVIA.id, {"type": "modal", "title": text, "blocks": []})
