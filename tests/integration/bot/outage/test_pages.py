"""Pagers of a database outage, each a real server, get its resolution."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.config.environment import Settings
from bot.delivery.pages import Pagers
from bot.outage import pages as module
from bot.outage.pages import OutagePagers
from services.clients.pagers.webhook import Webhooks
from services.domain.channels import Channel
from tests.outside import Phone
from tests.outside import phone as phone


@pytest.fixture
async def outage_pagers(phone: Phone) -> AsyncIterator[OutagePagers]:
    webhooks = Webhooks(timeout_s=30.0)
    settings = Settings.from_environment({"ENVIRONMENT": "prod", "PAGER_WEBHOOK_URL_ANN": phone.url})
    yield OutagePagers(Pagers(settings, webhooks), environment="prod")
    await webhooks.aclose()


async def _outage(outage_pagers: OutagePagers) -> None:
    outage_pagers.forget()
    await outage_pagers.page_targets(
        "the database does not answer", [(Channel.WEBHOOK, "ann")], since=datetime.now(UTC)
    )


async def test_the_end_of_a_second_outage_is_reported_however_long_ago_the_first_one_ended(
    outage_pagers: OutagePagers, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _outage(outage_pagers)
    await outage_pagers.cancel_pages()
    await _outage(outage_pagers)
    monkeypatch.setattr(module, "GIVE_UP_AFTER", timedelta(0))  # any time at all is too long since the first end

    await outage_pagers.cancel_pages()

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "resolved"] * 2


async def test_a_page_says_its_first_line_once_and_how_to_acknowledge_it(
    outage_pagers: OutagePagers, phone: Phone
) -> None:
    await _outage(outage_pagers)

    [ring] = phone.rings
    assert ring.body is not None
    assert json.dumps(ring.body).count("does not answer") == 1
    assert "type /dragonfly ack: that works without the database" in json.dumps(ring.body)


async def test_a_pager_that_stays_away_is_given_up_after_a_while(
    outage_pagers: OutagePagers, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _outage(outage_pagers)
    phone.is_away = True
    await outage_pagers.cancel_pages()
    phone.is_away = False
    monkeypatch.setattr(module, "GIVE_UP_AFTER", timedelta(0))

    await outage_pagers.cancel_pages()

    assert len(phone.rings) == 1
