"""A pager is called once per page, and its answer decides whether another try helps."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.clients.pagers.formats import Pager
from services.clients.pagers.webhook import Webhooks
from services.domain.notifications import Page, PageEvent
from services.domain.secrets import Secret
from tests.outside import Phone, failure_of
from tests.outside import phone as phone

AT = datetime(2025, 12, 2, 3, 4, 5, tzinfo=UTC)
PAGE = Page("dragonfly:prod:incident:1:1", "prod", "PAGE prod · ingest is down (0 of 2)", "318 waiting", AT)


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(timeout_s=30.0)
    yield webhooks
    await webhooks.aclose()


async def test_plain_pager_gets_a_flat_object_and_a_key_to_report_repetitions(phone: Phone, webhooks: Webhooks) -> None:
    await webhooks.page(Pager(Secret(phone.url)), PAGE)

    [ring] = phone.rings
    assert ring.method == "POST"
    assert ring.headers["Idempotency-Key"] == PAGE.key
    assert ring.body == {
        "event": "triggered",
        "key": PAGE.key,
        "environment": "prod",
        "subject": "PAGE prod · ingest is down (0 of 2)",
        "text": "318 waiting",
        "at": "2025-12-02T03:04:05+00:00",
        "client": "Dragonfly ChatOps",
        "alert_key": PAGE.key,
        "severity": "critical",
        "component": "",
        "link": "",
        "runbook": "",
        "acknowledge": "",
    }


async def test_key_in_any_script_can_be_sent(phone: Phone, webhooks: Webhooks) -> None:
    await webhooks.page(Pager(Secret(phone.url)), replace(PAGE, key="dragonfly:prod:incident:1:page:1:webhook:jürgen"))

    [ring] = phone.rings
    assert ring.headers["Idempotency-Key"] == "dragonfly:prod:incident:1:page:1:webhook:j%C3%BCrgen"


async def test_pager_with_a_routing_key_gets_pagerdutys_form(phone: Phone, webhooks: Webhooks) -> None:
    await webhooks.page(Pager(Secret(phone.url), Secret("r" * 32)), PAGE)

    [ring] = phone.rings
    assert ring.body is not None
    assert ring.body["routing_key"] == "r" * 32
    assert (ring.body["event_action"], ring.body["dedup_key"]) == ("trigger", PAGE.key)
    assert ring.body["payload"]["severity"] == "critical"


async def test_webhook_has_another_idempotency_key_per_event_of_a_page(phone: Phone, webhooks: Webhooks) -> None:
    for event in PageEvent:
        await webhooks.page(Pager(Secret(phone.url)), replace(PAGE, event=event))

    keys = [ring.headers["Idempotency-Key"] for ring in phone.rings]
    assert keys == [PAGE.key, f"{PAGE.key}:acknowledged", f"{PAGE.key}:resolved"]
    assert {ring.body["key"] for ring in phone.rings if ring.body} == {PAGE.key}


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (404, False), (302, False), (408, True), (429, True), (500, True)]
)
async def test_status_reports_whether_another_try_helps(
    phone: Phone, webhooks: Webhooks, status: int, retryable: bool
) -> None:
    phone.answers.append(status)

    error = await failure_of(webhooks.page(Pager(Secret(phone.url)), PAGE))

    assert error.retryable is retryable
    assert error.http_status == status
    assert len(phone.rings) == 1, "a redirect is not followed: it would carry the page elsewhere"


@pytest.mark.parametrize("fault", ["late", "cut"])
async def test_answer_that_was_lost_may_have_rung(phone: Phone, webhooks: Webhooks, fault: str) -> None:
    impatient = Webhooks(timeout_s=2.0)
    if fault == "late":
        phone.answers.append(10.0)
    else:
        phone.lose = 1

    error = await failure_of((impatient if fault == "late" else webhooks).page(Pager(Secret(phone.url)), PAGE))

    assert (error.retryable, error.outcome_unknown) == (True, True)
    await impatient.aclose()


async def test_pager_that_is_not_there_has_not_rung(webhooks: Webhooks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    error = await failure_of(webhooks.page(Pager(Secret(f"http://127.0.0.1:{port}/")), PAGE))

    assert (error.retryable, error.outcome_unknown) == (True, False)


async def test_no_address_gets_into_the_words(phone: Phone, webhooks: Webhooks) -> None:
    phone.answers.extend([404, 500])

    for _ in range(2):
        error = await failure_of(webhooks.page(Pager(Secret(phone.url)), PAGE))
        assert "secret" not in str(error)
        assert "127.0.0.1" not in str(error)


async def test_proxy_variables_do_not_count_for_this_machine(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    webhooks = Webhooks(timeout_s=30.0)

    await webhooks.page(Pager(Secret(phone.url)), PAGE)

    assert len(phone.rings) == 1
    await webhooks.aclose()


async def test_monitor_is_pinged_without_a_body(phone: Phone, webhooks: Webhooks) -> None:
    await webhooks.ping(Secret(phone.url))

    [ring] = phone.rings
    assert (ring.method, ring.body) == ("GET", None)
