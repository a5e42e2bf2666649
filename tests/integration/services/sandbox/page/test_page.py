"""The page's HTML as a browser gets it, and the effects of its routes in the local Slack and Railway."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bot.slack.manifest import manifest
from services.sandbox.page.app import build_router
from services.sandbox.phone.phones import Phones, RingState
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import ServiceSpec
from services.sandbox.slack import model
from services.sandbox.slack.model import Message, Refusal
from services.sandbox.slack.workspace import Workspace

OLIVIA, ANN, BOT = model.OLIVIA.id, model.ANN.id, model.BOT.id
COMMANDS = [("health", "", "One look at everything"), ("logs", "<service> [filter]", "The newest lines")]


class Database:
    """A stand-in for the sandbox's Postgres, with the methods that the page uses."""

    is_running = True

    def postgres_running(self) -> bool:
        return self.is_running

    async def plant_migration(self) -> str:
        return "20991231000001_forget"

    async def stop_postgres(self) -> None:
        self.is_running = False

    async def start_postgres(self) -> None:
        self.is_running = True


class Bot:
    """A stand-in for the bot's processes, with the methods that the page uses."""

    is_running = True

    def bot_running(self) -> bool:
        return self.is_running

    async def kill_bot(self) -> None:
        self.is_running = False

    def model(self) -> str:
        return ""

    async def switch_script(self, variables: Mapping[str, str]) -> None:
        """Does nothing here."""

    async def start_bot(self) -> None:
        self.is_running = True


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest.fixture
def railway(tmp_path: Path) -> LocalRailway:
    services = [ServiceSpec("dragonfly-api", ("python", "-c", "import time; time.sleep(60)"))]
    return LocalRailway(services, directory=tmp_path, working_directory=tmp_path, token="t")  # not started


@pytest.fixture
async def page(
    workspace: Workspace, railway: LocalRailway, phones: Phones, database: Database
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    shortcuts = [("ack", "Make it an incident")]
    app.include_router(build_router(workspace, railway, phones, database, Bot(), COMMANDS, shortcuts))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as client:
        yield client


def post(workspace: Workspace, user: str, text: str, **more: Any) -> Message:
    message = Message(model.INCIDENTS_ID, workspace.new_ts(), user, text, **more)
    workspace.messages.add(message)
    return message


async def test_the_page_shows_channel_people_and_commands(page: httpx.AsyncClient) -> None:
    html = (await page.get("/")).text

    assert "dragonfly-incidents" in html
    assert all(user.real_name in html for user in model.PEOPLE)
    assert "dragonfly logs" in html
    assert "&lt;service&gt; [filter]" in html


async def test_scripts_come_from_our_own_files_only(page: httpx.AsyncClient) -> None:
    answer = await page.get("/")

    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text


async def test_static_files_stay_inside_their_folder(page: httpx.AsyncClient) -> None:
    assert (await page.get("/static/page.css")).headers["content-type"].startswith("text/css")
    assert (await page.get("/static/vendor/htmx.min.js")).status_code == 200
    assert (await page.get("/static/%2e%2e/app.py")).status_code == 404
    assert (await page.get("/static/nothing.js")).status_code == 404


async def test_an_ephemeral_message_is_seen_by_its_person_only(page: httpx.AsyncClient, workspace: Workspace) -> None:
    post(workspace, BOT, "for Olivia's eyes", visible_to=OLIVIA)

    mine = (await page.get(f"/page/timeline?as={OLIVIA}")).text
    hers = (await page.get(f"/page/timeline?as={ANN}")).text

    assert "Only visible to you" in mine
    assert "for Olivia" in mine
    assert "for Olivia" not in hers


async def test_messages_stand_in_the_order_of_their_time(page: httpx.AsyncClient, workspace: Workspace) -> None:
    for word in ("first", "second", "third"):
        post(workspace, OLIVIA, word)

    html = (await page.get("/page/timeline")).text

    assert html.index("first") < html.index("second") < html.index("third")
    assert html.count("Olivia Park") == 1  # two messages in a row show the name once


async def test_replies_stay_in_their_thread(page: httpx.AsyncClient, workspace: Workspace) -> None:
    first = post(workspace, OLIVIA, "is it down?")
    post(workspace, ANN, "looking", thread_ts=first.ts)

    channel = (await page.get("/page/timeline")).text
    thread = (await page.get(f"/page/thread?thread={first.ts}")).text

    assert "1 reply" in channel
    assert "looking" not in channel
    assert "is it down?" in thread
    assert "looking" in thread


async def test_a_refused_call_is_shown_where_it_would_have_been(page: httpx.AsyncClient, workspace: Workspace) -> None:
    problems = ("blocks[0].text.text: longer than 3000 characters",)
    refused = Refusal("chat.postMessage", "invalid_blocks", problems, {"a": "<b>"}, 1e9, channel=model.INCIDENTS_ID)
    workspace.record_refusal(refused)

    html = (await page.get("/page/timeline")).text

    assert "Slack would refuse this" in html
    assert problems[0] in html
    assert "&lt;b&gt;" in html


async def test_only_the_newest_messages_are_drawn_until_more_are_asked_for(
    page: httpx.AsyncClient, workspace: Workspace
) -> None:
    for number in range(150):
        post(workspace, OLIVIA, f"number {number};")

    newest = (await page.get("/page/timeline")).text
    more = (await page.get("/page/timeline?limit=200")).text

    assert "number 149;" in newest
    assert "number 49;" not in newest
    assert "Show earlier messages" in newest
    assert "number 0;" in more
    assert "Show earlier messages" not in more


async def test_a_channel_is_unread_until_it_is_looked_at(page: httpx.AsyncClient, workspace: Workspace) -> None:
    elsewhere = f"/page/sidebar?as={ANN}&in=general"
    post(workspace, OLIVIA, "news")

    before = (await page.get(elsewhere)).text
    await page.get(f"/page/timeline?as={ANN}")
    after = (await page.get(elsewhere)).text

    assert "(unread)" in before
    assert "(unread)" not in after


async def test_page_posts_typed_text_to_the_channel(page: httpx.AsyncClient, workspace: Workspace) -> None:
    act = {"viewer": OLIVIA, "channel": model.INCIDENTS_ID, "text": " hello <b> "}

    answer = await page.post("/page/say", json=act)

    assert answer.status_code == 200
    assert [m.text for m in workspace.messages_for(ANN, model.INCIDENTS_ID)] == ["hello &lt;b&gt;"]


@pytest.mark.parametrize("viewer", [BOT, "U0NOBODY", ""])
async def test_page_refuses_a_viewer_who_is_no_person_of_the_sandbox(page: httpx.AsyncClient, viewer: str) -> None:
    act = {"viewer": viewer, "channel": model.INCIDENTS_ID, "text": "hello"}

    assert (await page.post("/page/say", json=act)).status_code == 422


async def test_page_plants_a_destructive_migration_and_says_what_it_is_for(page: httpx.AsyncClient) -> None:
    assert "Plant a destructive migration" in (await page.get("/page/panel")).text

    answer = await page.post("/page/break/plant-migration", json={})

    assert answer.json()["told"].startswith("20991231000001_forget drops a column and is pending")


async def test_page_says_gone_when_a_clicked_message_is_missing(page: httpx.AsyncClient) -> None:
    act = {"viewer": OLIVIA, "channel": model.INCIDENTS_ID, "ts": "1.000000", "action_id": "go", "block_id": "b"}

    answer = await page.post("/page/click", json=act)

    assert answer.status_code == 409
    assert "gone" in answer.json()["detail"]


async def test_a_modal_is_shown_to_its_person_with_its_errors(page: httpx.AsyncClient, workspace: Workspace) -> None:
    block = {
        "type": "input",
        "block_id": "why",
        "label": {"type": "plain_text", "text": "Why"},
        "element": {"type": "plain_text_input", "action_id": "why"},
    }
    view = workspace.views.open(
        OLIVIA, {"type": "modal", "title": {"type": "plain_text", "text": "Deny"}, "blocks": [block]}
    )
    workspace.views.refuse(view, {"why": "Say why."})

    assert "Say why." in (await page.get(f"/page/modal?as={OLIVIA}")).text
    assert (await page.get(f"/page/modal?as={ANN}")).text.strip() == ""


async def test_an_unknown_part_is_not_found(page: httpx.AsyncClient) -> None:
    assert (await page.get("/page/page")).status_code == 404


@pytest.mark.parametrize("query", ["as=U0NOBODY", "in=C0NOWHERE", "limit=x", "thread=1", "in=home&thread=2", "in=D0X"])
async def test_a_strange_address_shows_a_page_all_the_same(page: httpx.AsyncClient, query: str) -> None:
    assert (await page.get(f"/?{query}")).status_code == 200


async def test_a_person_elses_direct_message_is_not_shown(page: httpx.AsyncClient, workspace: Workspace) -> None:
    channel = workspace.direct_channel(OLIVIA).id
    workspace.messages.add(Message(channel, workspace.new_ts(), OLIVIA, "between us"))

    assert "between us" in (await page.get(f"/page/timeline?as={OLIVIA}&in={channel}")).text
    assert "between us" not in (await page.get(f"/page/timeline?as={ANN}&in={channel}")).text


async def test_the_panel_stops_and_starts_postgres(page: httpx.AsyncClient, database: Database) -> None:
    assert "Stop Postgres" in (await page.get("/page/panel")).text

    await page.post("/page/break/stop-postgres", json={})

    assert not database.is_running
    assert "Start Postgres" in (await page.get("/page/panel")).text


async def test_the_panel_kills_and_starts_the_bot(page: httpx.AsyncClient) -> None:
    assert "Kill the bot" in (await page.get("/page/panel")).text

    await page.post("/page/break/kill-bot", json={})
    killed = (await page.get("/page/panel")).text
    await page.post("/page/break/start-bot", json={})

    assert "Start the bot" in killed
    assert "not running" in killed
    assert "Kill the bot" in (await page.get("/page/panel")).text


async def test_the_panel_offers_commits_with_what_they_do(page: httpx.AsyncClient, railway: LocalRailway) -> None:
    await railway.start()
    try:
        html = (await page.get("/page/panel")).text
    finally:
        await railway.stop()

    assert "crashes at start" in html
    assert "runs but answers 503" in html


async def test_page_says_gone_when_a_replica_to_break_is_missing(page: httpx.AsyncClient) -> None:
    answer = await page.post("/page/break/kill", json={"replica": "r1"})

    assert answer.status_code == 404
    assert "no replica r1" in answer.json()["detail"]


async def test_rate_limiting_waits_for_the_bots_next_call(page: httpx.AsyncClient, workspace: Workspace) -> None:
    await page.post("/page/break/rate-limit-slack", json={})

    assert workspace.faults.take("chat.postMessage") is not None


async def test_a_flood_of_questions_comes_from_a_person_who_may_change_nothing(
    page: httpx.AsyncClient, workspace: Workspace
) -> None:
    answer = await page.post("/page/break/flood", json={})
    asked: list[Message] = []
    async with asyncio.timeout(30):
        while len(asked) < 60:
            await asyncio.sleep(0)  # the answer does not wait for the flood
            listed = workspace.messages_for(OLIVIA, model.INCIDENTS_ID)
            asked = [message for message in listed if message.text.endswith(" health")]

    assert answer.json()["told"] == "Otto Lind asks 100 times /dragonfly doctor and 60 times @dragonfly health"
    assert {message.user for message in asked} == {model.OTTO.id}


async def test_a_changed_message_is_shown_as_it_is_now(page: httpx.AsyncClient, workspace: Workspace) -> None:
    message = post(workspace, BOT, "firing")
    assert "firing" in (await page.get("/page/timeline")).text

    workspace.messages.change(message, text="resolved")

    html = (await page.get("/page/timeline")).text
    assert "resolved" in html
    assert "firing" not in html


async def test_an_ephemeral_message_can_be_dismissed_by_its_person_only(
    page: httpx.AsyncClient, workspace: Workspace
) -> None:
    message = post(workspace, BOT, "for your eyes", visible_to=OLIVIA)
    act = {"channel": message.channel, "ts": message.ts}

    await page.post("/page/dismiss", json={"viewer": ANN, **act})
    assert workspace.messages_for(OLIVIA, model.INCIDENTS_ID) == [message]

    await page.post("/page/dismiss", json={"viewer": OLIVIA, **act})
    assert workspace.messages_for(OLIVIA, model.INCIDENTS_ID) == []


async def test_a_message_for_everyone_cannot_be_dismissed(page: httpx.AsyncClient, workspace: Workspace) -> None:
    message = post(workspace, BOT, "for all")

    await page.post("/page/dismiss", json={"viewer": OLIVIA, "channel": message.channel, "ts": message.ts})

    assert workspace.messages_for(OLIVIA, model.INCIDENTS_ID) == [message]


async def test_another_site_in_the_same_browser_cannot_break_anything(
    page: httpx.AsyncClient, database: Database
) -> None:
    answer = await page.post("/page/break/stop-postgres", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert database.is_running


async def test_every_button_of_the_panel_has_its_route(page: httpx.AsyncClient, railway: LocalRailway) -> None:
    await railway.start()
    try:
        await railway.wait_until_serving(60)
        html = (await page.get("/page/panel")).text
        names = set(re.findall(r'data-break="([\w-]+)"', html)) | {"start", "thaw", "start-postgres"}
        answers = {name: (await page.post(f"/page/break/{name}", json={})).status_code for name in sorted(names)}
    finally:
        await railway.stop()

    assert names >= {"kill", "freeze", "restart", "deploy", "slow-api", "stop-postgres", "rate-limit-slack"}
    assert set(answers.values()) <= {200, 422}  # 422: a parameter is missing


async def test_a_phone_shows_how_each_ring_stands(page: httpx.AsyncClient, phones: Phones) -> None:
    assert "Kill a worker" in (await page.get("/page/phones")).text

    phones.ring("one", model.ANN, "PAGE <b>dev</b>", "Incident 1")
    html = (await page.get("/page/phones")).text
    assert "PAGE &lt;b&gt;dev&lt;/b&gt;" in html
    assert f"as={ANN}" in html
    assert "phone rings" in (await page.get("/page/bell")).text

    phones.quiet("one", RingState.SILENCED)
    assert "silenced" in (await page.get("/page/phones")).text
    assert "phone rings" not in (await page.get("/page/bell")).text


async def test_mails_are_shown_with_their_words(page: httpx.AsyncClient, phones: Phones) -> None:
    phones.deliver(model.BEN, "PAGE dev", "Incident 1 <script>")

    html = (await page.get("/page/phones")).text
    assert "Mail (1)" in html
    assert "Incident 1 &lt;script&gt;" in html


async def test_a_shared_file_can_be_opened(page: httpx.AsyncClient, workspace: Workspace) -> None:
    file = workspace.files.reserve("incident 1.md", 4, user=BOT)
    file.content, file.is_complete = b"text", True
    post(workspace, BOT, "The export", files=[file.id, "F0GONE"])

    html = (await page.get(f"/page/timeline?as={OLIVIA}")).text

    assert f'href="/slack/files/{file.id}/incident%201.md" download="incident 1.md"' in html
    assert "<strong>F0GONE</strong>" in html


async def test_people_write_to_the_app_itself_too(page: httpx.AsyncClient, workspace: Workspace) -> None:
    """As the manifest sets it: without that Slack shows no message box there."""
    direct = workspace.direct_channel(OLIVIA).id

    to_app, in_channel = [(await page.get(f"/?as={OLIVIA}&in={place}")).text for place in (direct, model.INCIDENTS_ID)]

    assert ("<textarea" in to_app, "<textarea" in in_channel) == (True, True)
    assert manifest()["features"]["app_home"]["messages_tab_read_only_enabled"] is False


@pytest.mark.parametrize("place", ["home", model.INCIDENTS_ID])
async def test_the_skip_link_leads_somewhere(page: httpx.AsyncClient, place: str) -> None:
    html = (await page.get(f"/?as={OLIVIA}&in={place}")).text

    target = re.findall(r'class="skip" href="#([\w-]+)"', html)[0]
    assert f'id="{target}"' in html


async def test_a_modal_that_is_closed_already_is_closed(page: httpx.AsyncClient) -> None:
    answer = await page.post("/page/close", json={"viewer": OLIVIA, "view_id": "V0GONE"})

    assert answer.status_code == 200


async def test_an_upload_is_reported_as_the_api_answers(page: httpx.AsyncClient) -> None:
    """No process listens yet."""
    answer = await page.post("/page/break/upload", json={"name": "a.csv", "content": "Case Number"})

    assert answer.json()["told"].startswith("a.csv was not uploaded: the API ")
