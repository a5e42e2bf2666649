"""The demo's pager and mailboxes, called by the production clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from services.clients.pagers.email import MailServer as MailClient
from services.clients.pagers.formats import Pager
from services.clients.pagers.pagerduty import SIGNATURE, PagerDutyApi, is_signed, read_event
from services.clients.pagers.webhook import Webhooks
from services.domain.answers import PagerAction
from services.domain.notifications import Page, PageEvent
from services.domain.secrets import Secret
from services.sandbox.phone import phones as pager
from services.sandbox.phone.phones import KEPT, MailServer, Phones, RingState
from services.sandbox.slack import model
from services.sandbox.web_server import WebServer
from tests.outside import failure_of
from tests.serving import serve

AT = datetime(2025, 12, 2, 3, 4, 5, tzinfo=UTC)
PAGE = Page("dragonfly:dev:incident:1", "dev", "PAGE dev · ingest is down (0 of 1)", "Incident 1 · älteste 9 min", AT)


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest.fixture
async def url(phones: Phones) -> AsyncIterator[str]:
    app = FastAPI()
    app.include_router(pager.build_router(phones))
    server = WebServer(0)
    await server.serve(app)
    yield f"{server.url}{pager.PATH}"
    await server.stop()


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(timeout_s=10.0)
    yield webhooks
    await webhooks.aclose()


@pytest.fixture
async def mail(phones: Phones) -> AsyncIterator[MailClient]:
    server = MailServer(phones)
    await server.start()
    yield MailClient(Secret(server.url), pager.SENDER)
    await server.stop()


def phone_of(name: str, url: str) -> Pager:
    return Pager(Secret(url), Secret(pager.routing_key(name)))


async def test_a_page_rings_the_phone_of_its_key_once(phones: Phones, url: str, webhooks: Webhooks) -> None:
    for _ in range(2):
        await webhooks.page(phone_of("ann", url), PAGE)

    [ring] = phones.ringing
    assert (ring.whom, ring.title, ring.details) == (model.ANN, PAGE.subject, PAGE.text)


async def test_a_phone_is_silenced_by_an_acknowledgement_and_closed_by_a_resolution(
    phones: Phones, url: str, webhooks: Webhooks
) -> None:
    states = []
    for event in PageEvent:
        await webhooks.page(phone_of("ann", url), replace(PAGE, event=event))
        states += [ring.state for ring in phones.rings]

    assert states == [RingState.RINGING, RingState.SILENCED, RingState.CLOSED]


async def test_phone_ignores_a_resolution_without_a_page(phones: Phones, url: str, webhooks: Webhooks) -> None:
    await webhooks.page(phone_of("ann", url), replace(PAGE, event=PageEvent.RESOLVED))

    assert list(phones.rings) == []


async def test_a_wrong_key_and_a_trigger_that_reports_nothing_are_refused(
    phones: Phones, url: str, webhooks: Webhooks
) -> None:
    error = await failure_of(webhooks.page(phone_of("nobody", url), PAGE))
    async with httpx.AsyncClient(trust_env=False) as client:
        event = {"routing_key": pager.routing_key("ann"), "event_action": "trigger", "dedup_key": "k"}
        answer = await client.post(url, json=event)

    assert (error.http_status, answer.status_code) == (400, 400)
    assert list(phones.rings) == []


async def test_a_mail_is_put_into_the_mailbox_of_its_person(phones: Phones, mail: MailClient) -> None:
    await mail.send(pager.address("ben"), PAGE)

    [came] = phones.mails
    assert (came.whom, came.subject, came.details) == (model.BEN, PAGE.subject, PAGE.text)


async def test_a_mail_to_no_one_is_refused(phones: Phones, mail: MailClient) -> None:
    error = await failure_of(mail.send("nobody@dragonfly.example", PAGE))

    assert error.retryable is False
    assert list(phones.mails) == []


def test_the_newest_are_kept(phones: Phones) -> None:
    for number in range(KEPT + 1):
        phones.ring(str(number), model.ANN, "PAGE", "")
        phones.deliver(model.ANN, "PAGE", "")

    assert (len(phones.rings), len(phones.mails)) == (KEPT, KEPT)
    assert phones.rings[0].key == str(KEPT)


async def test_acknowledge_on_the_phone_silences_it_and_the_pager_reports_it_signed(phones: Phones, url: str) -> None:
    calls: list[tuple[bytes, str]] = []
    bot = FastAPI()

    @bot.post("/hooks/pagerduty")
    async def hook(request: Request) -> Response:
        calls.append((await request.body(), request.headers[SIGNATURE]))
        return Response(status_code=202)

    phones.ring("dragonfly:dev:incident:1", model.ANN, "PAGE", "")
    async with serve(bot) as address:
        phones.hook = f"{address}/hooks/pagerduty"
        problem = await phones.answer(phones.rings[0].number)
        again = await phones.answer(phones.rings[0].number)

    [(body, signature)] = calls
    event = read_event(body)
    assert (problem, again) == (None, "this phone does not ring any more")
    assert phones.rings[0].state is RingState.SILENCED
    assert is_signed(body, signature, [Secret(pager.WEBHOOK_SECRET)])
    assert event is not None
    assert event.by is not None
    assert (event.action, event.alert_key) == (PagerAction.ACKNOWLEDGED, "dragonfly:dev:incident:1")
    api = PagerDutyApi(url.removesuffix("/v2/enqueue"), Secret("t"), timeout_s=10.0)
    assert await api.read_email(event.by) == pager.address("ann")
    await api.aclose()


async def test_a_phone_says_so_when_the_bot_is_not_reached(phones: Phones) -> None:
    phones.hook = "http://127.0.0.1:9/hooks/pagerduty"
    phones.ring("key", model.ANN, "PAGE", "")

    assert await phones.answer(phones.rings[0].number) == "the bot was not reached (ConnectError)"


def test_a_mail_shows_its_links_apart_from_its_words(phones: Phones) -> None:
    phones.deliver(
        model.ANN, "PAGE", "Incident 1.\n\nAcknowledge: http://127.0.0.1:1/ack/a\nOpen the thread: http://s/x\n"
    )

    [mail] = phones.mails
    assert mail.text == "Incident 1."
    assert mail.links == [("Acknowledge", "http://127.0.0.1:1/ack/a"), ("Open the thread", "http://s/x")]
