"""A text with one of the bot's own secrets, at each exit of texts: the secret does not pass."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import httpx
import pytest
from aiohttp import web
from mcp.client.client import Client

from bot.cli import dispatch
from bot.machines.mcp_server import make_server
from bot.setup.console import Terminal
from bot.views.answer_page import AnswerPage, answer_page
from bot.web.app import create_app
from bot.web.metrics import Health, Metrics
from services.api.errors import RefusedError, refusal
from services.clients.machine_door import MachineDoorClient
from services.clients.openai import OpenAIClient, Question
from services.clients.pagers.email import MailServer
from services.clients.pagers.formats import Pager
from services.clients.pagers.webhook import Webhooks
from services.clients.slack import SlackClient
from services.domain.notifications import Page
from services.domain.secrets import Secret, remember_secrets
from services.enforcement_worker.memo import Memo
from tests.github import LocalGitHub
from tests.openai_server import OpenAIServer, Posted, response
from tests.outside import Mailbox, Phone
from tests.outside import mailbox as mailbox
from tests.outside import phone as phone

SECRET = "swordfishswordfish"
FORMS = (SECRET, base64.b64encode(f"u:{SECRET}".encode()).decode()[8:20])
TEXT = f"it is {SECRET}, {base64.b64encode(f'u:{SECRET}'.encode()).decode()} and sword\u200bfish\nswordfish"
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": TEXT}}]
PAGE = Page("key", "prod", TEXT.replace("\n", " "), TEXT, datetime(2025, 12, 2, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _remembered() -> Iterator[None]:
    remember_secrets("test", [Secret(SECRET)])
    yield
    remember_secrets("test", [])


def is_clean(text: str) -> bool:
    squeezed = "".join(text.replace("\\n", "").replace("\\u200b", "").replace("\u200b", "").split())
    return "…" in text.replace("\\u2026", "…") and not [form for form in FORMS if form in squeezed]


@pytest.fixture
async def heard() -> AsyncIterator[tuple[str, list[str]]]:
    """An address that accepts every call of Slack's API, and the bodies that it received."""
    bodies: list[str] = []

    async def take(request: web.Request) -> web.Response:
        raw = await request.read()
        bodies.append(raw.decode())
        answer = {"ok": True, "channel": "C1", "ts": "1.0", "view": {"id": "V1"}, "file_id": "F1", "files": [{}]}
        return web.json_response({**answer, "upload_url": str(request.url.with_path("/upload")), "text": "half \ud83d"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/", bodies
    await runner.cleanup()


async def test_slack(heard: tuple[str, list[str]]) -> None:
    url, bodies = heard
    slack = SlackClient(Secret("xoxb-1"), api_url=url)
    try:
        await slack.post("C1", TEXT, BLOCKS)
        await slack.update("C1", "1.0", TEXT, BLOCKS)
        await slack.post_ephemeral("C1", "U1", TEXT, BLOCKS)
        await slack.respond(url, TEXT, BLOCKS)
        await slack.open_view("t", {"type": "modal", "blocks": BLOCKS})
        await slack.update_view("V1", {"type": "modal", "blocks": BLOCKS})
        await slack.publish_home("U1", {"type": "home", "blocks": BLOCKS})
    finally:
        await slack.aclose()

    assert len(bodies) == 7
    assert [body for body in bodies if not is_clean(unquote_plus(body))] == []


async def test_pager(phone: Phone) -> None:
    webhooks = Webhooks()
    try:
        await webhooks.page(Pager(Secret(phone.url)), PAGE)
        await webhooks.page(Pager(Secret(phone.url), Secret("r" * 32)), PAGE)
    finally:
        await webhooks.aclose()

    assert all(is_clean(json.dumps(ring.body)) for ring in phone.rings)
    assert len(phone.rings) == 2


async def test_mail(mailbox: Mailbox) -> None:
    await MailServer(Secret(mailbox.url), "bot@example.com").send("ann@example.com", PAGE)

    [mail] = mailbox.mails
    assert is_clean(mail["Subject"])
    assert is_clean(mail.get_content())


async def test_issue_on_github() -> None:
    github = LocalGitHub()

    await github.client().create_issue(TEXT, TEXT)

    assert [is_clean(issue[name]) for issue in github.issues for name in ("title", "body")] == [True, True]


async def test_model_prompt() -> None:
    async with OpenAIServer().serve() as server:
        server.speak = lambda _: Posted(response("{}"))
        client = OpenAIClient(api_key=Secret("k"), base_url=server.base_url, model="m", timeout_s=20.0, max_retries=0)
        await client.ask(Question(TEXT, TEXT, Memo, max_output_tokens=5))
        await client.aclose()

    sent = json.loads(server.requests[0])
    assert is_clean(sent["instructions"])
    assert is_clean(sent["input"])


def test_error_of_the_api() -> None:
    answer = refusal(RefusedError(400, TEXT, why=TEXT, what_next=TEXT))

    assert all(is_clean(text) for text in json.loads(bytes(answer.body))["error"].values())


async def test_terminal_and_its_json() -> None:
    environ = {"SLACK_BOT_TOKEN": f"xoxb-{SECRET}"}
    wrong = f"xoxb-{SECRET}"
    for words in (["logs", wrong], ["logs", wrong, "--json"], ["queue", wrong]):
        outcome = await dispatch(words, environ)
        assert SECRET not in outcome.text


async def test_health_that_strangers_read() -> None:
    async def health() -> Health:
        return Health(1, 1, database=TEXT, leader=True, late=[TEXT], channel=TEXT)

    app = create_app(health=health, metrics=Metrics())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot") as client:
        answer = await client.get("/healthz")

    assert is_clean(answer.text)


def test_page_behind_a_one_time_link() -> None:
    assert is_clean(answer_page(AnswerPage(1, TEXT, TEXT, is_asked=True)))


def test_setup_terminal_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().show(TEXT)

    assert is_clean(capsys.readouterr().err)


async def test_tools_of_the_mcp_server() -> None:
    answer = {"status": "ok", "text": TEXT, "data": {}, "run": {"id": 1, "state": TEXT, "link": TEXT}}
    wire = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    door = MachineDoorClient("https://bot.example", Secret("t" * 32), transport=wire)

    async with Client(make_server(door)) as client:
        called = await client.call_tool("queue", {})

    assert is_clean(str(called.content))
