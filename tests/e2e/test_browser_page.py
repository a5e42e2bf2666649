"""The demo's page in a headless browser: its own scripts, live updates, and a tiny real Bolt app behind it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Locator, Page, Route, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from services.sandbox.page.app import build_router as build_page_router
from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import ServiceSpec
from services.sandbox.slack import model
from services.sandbox.slack.control import build_router as build_slack_router
from services.sandbox.slack.workspace import Workspace

if TYPE_CHECKING:
    from tests.e2e.conftest import OpenPage


COMMANDS = [
    ("health", "", "One look at everything"),
    ("heartbeats", "[service]", "Every worker and its last beat"),
    ("logs", "<service> [filter]", "The newest lines"),
]
SLEEPER = ("python", "-c", "import time; time.sleep(600)")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),  # one browser for all tests here
]


class Database:
    def postgres_running(self) -> bool:
        return True

    async def plant_migration(self) -> str:
        return "20991231000001_forget"

    async def stop_postgres(self) -> None:
        """Not used in these tests."""

    async def start_postgres(self) -> None:
        """Not used in these tests."""


class Bot:
    def bot_running(self) -> bool:
        return True

    async def kill_bot(self) -> None:
        """Not used in these tests."""

    def model(self) -> str:
        return ""

    async def switch_script(self, variables: Mapping[str, str]) -> None:
        """Not used in these tests."""

    async def start_bot(self) -> None:
        """Not used in these tests."""


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


RESTART = {
    "type": "button",
    "action_id": "restart",
    "text": plain("Restart"),
    "style": "danger",
    "confirm": {
        "title": plain("Restart ingest?"),
        "text": plain("About 10 s without it."),
        "confirm": plain("Restart it"),
        "deny": plain("Leave it"),
        "style": "danger",
    },
}
DENY = {
    "type": "modal",
    "callback_id": "deny",
    "title": plain("Deny the plan"),
    "submit": plain("Deny"),
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


def build_bot(base_url: str) -> AsyncApp:
    """Build a bot that answers `health` in the channel, `logs` to the requester, `restart` with a question, `deny` with
    a modal."""
    client = AsyncWebClient(token="xoxb-page", base_url=f"{base_url}/slack/api/")
    bot = AsyncApp(client=client)

    @bot.command("/dragonfly")
    async def command(ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond, say: AsyncSay) -> None:
        await ack()
        if body["text"] == "deny":
            await client.views_open(trigger_id=body["trigger_id"], view=DENY)
        elif body["text"] == "restart":
            await say(text="Restart?", blocks=[{"type": "actions", "block_id": "ask", "elements": [RESTART]}])
        elif body["text"].startswith("logs"):
            await respond(text="the log, for you", response_type="ephemeral")
        else:
            await say(text=f"All is well, *{body['text']}*")

    @bot.action("restart")
    async def restart(ack: AsyncAck, say: AsyncSay) -> None:
        await ack()
        await say(text="Restarted.")

    @bot.view("deny")
    async def deny(ack: AsyncAck, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["why"]["text"]["value"]
        if len(reason.split()) < 2:
            await ack(response_action="errors", errors={"why": "Say it in a sentence."})
            return
        await ack()
        await client.chat_postMessage(channel=model.INCIDENTS_ID, text=f"Denied: {reason}")

    return bot


@pytest_asyncio.fixture(loop_scope="module")
async def base_url(tmp_path: Path) -> AsyncIterator[str]:
    """Serve the page, the local Slack and a Railway with one service on a free port, with the bot connected."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        workspace = Workspace(base_url=url)
        services = [ServiceSpec("dragonfly-worker-ingest", SLEEPER)]
        railway = LocalRailway(services, directory=tmp_path, working_directory=tmp_path, token="t")
        app = FastAPI()
        app.include_router(build_slack_router(workspace))
        app.include_router(build_page_router(workspace, railway, Phones(), Database(), Bot(), COMMANDS))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, ws="websockets-sansio")
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        handler = AsyncSocketModeHandler(build_bot(url), "xapp-page")
        await railway.start()
        await workspace.start()
        try:
            while not server.started:
                await asyncio.sleep(0.02)
            await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt has no annotation there
            yield url
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]
            await workspace.close()
            await railway.stop()
            server.should_exit = True
            await serving


@pytest_asyncio.fixture(loop_scope="module")
async def page(open_page: "OpenPage", base_url: str) -> AsyncIterator[Page]:
    """The page in a window of 1400 x 900 pixels."""
    async with open_page(base_url, width=1400, height=900) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def phone(open_page: "OpenPage", base_url: str) -> AsyncIterator[Page]:
    async with open_page(base_url, width=390, height=844, has_touch=True) as page:
        yield page


async def say(page: Page, text: str) -> None:
    await send(page, page.get_by_role("textbox", name="Message #dragonfly-incidents"), text)


async def send(page: Page, box: Locator, text: str) -> None:
    await expect(box).to_be_visible()
    await page.wait_for_load_state()  # the page's scripts handle Enter from then on
    await box.fill(text)
    await box.press("Enter")


async def test_a_command_is_completed_sent_and_answered_without_a_reload(page: Page) -> None:
    box = page.get_by_role("textbox", name="Message #dragonfly-incidents")

    await page.keyboard.press("Escape")
    await page.locator("h1").click()
    await page.keyboard.press("/")  # from anywhere on the page
    await expect(page.get_by_role("listbox", name="Suggestions").get_by_role("option", selected=True)).to_contain_text(
        "/dragonfly health"
    )
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(box).to_have_value("/dragonfly heartbeats ")
    await page.keyboard.press("Enter")

    answer = page.locator("#timeline article").last
    await expect(answer.locator(".author")).to_have_text("Dragonfly")
    await expect(answer.locator("strong", has_text="heartbeats")).to_be_visible()
    await expect(box).to_have_value("")


async def test_the_bare_command_is_sent_as_it_stands(page: Page) -> None:
    await say(page, "/dragonfly")

    await expect(page.locator("#timeline article").last).to_contain_text("All is well")
    await expect(page.get_by_role("textbox", name="Message #dragonfly-incidents")).to_have_value("")


async def test_an_ephemeral_answer_can_be_dismissed(page: Page) -> None:
    await say(page, "/dragonfly logs api")

    await page.get_by_role("button", name="Dismiss").click()

    await expect(page.get_by_text("the log, for you")).to_have_count(0)


async def test_an_ephemeral_answer_is_gone_for_another_person(page: Page) -> None:
    await say(page, "/dragonfly logs api")
    await expect(page.get_by_text("the log, for you")).to_be_visible()
    await expect(page.get_by_text("Only visible to you")).to_be_visible()

    await page.get_by_role("link", name="Ann Keller").click()

    await expect(page.get_by_role("link", name="Ann Keller")).to_have_attribute("aria-current", "true")
    await expect(page.get_by_text("the log, for you")).to_have_count(0)


async def test_a_button_asks_before_it_acts(page: Page) -> None:
    await say(page, "/dragonfly restart")
    button = page.locator("#timeline").get_by_role("button", name="Restart")

    await button.click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("About 10 s without it.")
    await question.get_by_role("button", name="Leave it").click()
    await expect(question).to_be_hidden()
    await expect(page.get_by_text("Restarted.")).to_have_count(0)

    await button.click()
    await question.get_by_role("button", name="Restart it").click()
    await expect(page.get_by_text("Restarted.")).to_be_visible()


async def test_a_modal_keeps_what_was_typed_beside_its_error(page: Page) -> None:
    await say(page, "/dragonfly deny")
    modal = page.get_by_role("dialog", name="Deny the plan")
    reason = modal.get_by_label("Reason")

    await reason.fill("no")
    await modal.get_by_role("button", name="Deny", exact=True).click()
    await expect(modal.get_by_role("alert")).to_have_text("Say it in a sentence.")
    await expect(reason).to_have_value("no")

    await reason.fill("too risky now")
    await modal.get_by_role("button", name="Deny", exact=True).click()
    await expect(modal).to_be_hidden()
    await expect(page.get_by_text("Denied: too risky now")).to_be_visible()


async def test_a_draft_survives_new_messages_with_its_focus_and_a_reload(page: Page, base_url: str) -> None:
    other = await page.context.new_page()
    await other.goto(f"{base_url}/?as={model.ANN.id}")
    await page.bring_to_front()
    box = page.get_by_role("textbox", name="Message #dragonfly-incidents")
    await box.fill("half a thought")

    await say(other, "something new")

    await expect(page.get_by_text("something new")).to_be_visible()
    await expect(box).to_have_value("half a thought")
    await expect(box).to_be_focused()
    await page.reload()
    await expect(box).to_have_value("half a thought")


async def test_what_is_typed_before_the_page_is_ready_stays(page: Page) -> None:
    typed = asyncio.Event()

    async def hold(route: Route) -> None:
        await typed.wait()
        await route.continue_()

    await page.route("**/composer.js", hold)
    await page.reload(wait_until="commit")
    box = page.get_by_role("textbox", name="Message #dragonfly-incidents")
    await box.fill("looking")
    typed.set()
    await page.wait_for_load_state()

    await expect(box).to_have_value("looking")


async def test_a_thread_opens_takes_a_reply_and_closes_with_escape(page: Page) -> None:
    await say(page, "is it down?")
    await page.locator("#timeline article").hover()
    await page.get_by_role("link", name="Reply in thread").click()

    reply = page.get_by_role("textbox", name="Reply…")
    await send(page, reply, "looking")
    await expect(page.locator("#thread")).to_contain_text("1 reply")
    await expect(page.locator("#timeline")).to_contain_text("1 reply")
    await reply.fill("half a thought")
    await page.keyboard.press("Escape")
    await expect(reply).to_have_value("half a thought")

    await page.keyboard.press("Escape")
    await expect(page.locator("#thread")).to_have_count(0)


async def test_a_killed_worker_is_seen_and_started_again(page: Page) -> None:
    panel = page.get_by_role("complementary", name="Local Railway")
    await panel.get_by_role("button", name="Kill", exact=True).click()
    await expect(panel.locator(".replicas")).to_contain_text("crashed")

    await panel.get_by_role("button", name="Start").click()
    await expect(panel.locator(".replicas")).to_contain_text(re.compile(r"running\s+[0-9a-f]{8}\s*pid \d+"))


async def test_nothing_is_wider_than_a_phone_and_buttons_fit_a_thumb(phone: Page) -> None:
    await say(phone, "/dragonfly restart")
    button = phone.locator("#timeline").get_by_role("button", name="Restart")
    await expect(button).to_be_visible()

    assert await phone.evaluate("document.documentElement.scrollWidth") <= 390
    for target in (button, phone.get_by_role("button", name="Send"), phone.get_by_role("button", name="Channels")):
        box = await target.bounding_box()
        assert box is not None
        assert box["height"] >= 44


async def test_the_sidebar_of_a_phone_is_behind_a_button(phone: Page) -> None:
    general = phone.get_by_role("link", name="general")
    await expect(general).to_be_hidden()

    await phone.get_by_role("button", name="Channels").click()
    await general.click()

    await expect(phone.get_by_role("heading", level=1)).to_contain_text("general")
    await expect(general).to_be_hidden()


async def test_the_apps_name_is_whole_on_the_home_of_a_phone(phone: Page, base_url: str) -> None:
    await phone.goto(f"{base_url}/?in=home")
    name = phone.get_by_role("heading", level=1)
    await expect(name).to_contain_text("Dragonfly")

    assert await name.evaluate("title => title.scrollWidth <= title.clientWidth")
    railway = await phone.get_by_role("button", name="Local Railway").bounding_box()
    assert railway is not None
    assert railway["x"] + railway["width"] <= 390
    skip = phone.get_by_role("link", name="Skip to the content")
    await expect(phone.locator(await skip.get_attribute("href") or "")).to_have_count(1)
