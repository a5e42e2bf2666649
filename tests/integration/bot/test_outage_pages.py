"""Pagers of a database outage, each a real server, hear that it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot import outage_pages as module
from bot.config.environment import Settings
from bot.delivery.pages import Pagers
from bot.outage_pages import Phones
from services.clients.pagers.webhook import Webhooks
from services.domain.channels import Channel
from tests.outside import Phone
from tests.outside import phone as phone


@pytest.fixture
async def phones(phone: Phone) -> AsyncIterator[Phones]:
    webhooks = Webhooks(timeout_s=30.0)
    settings = Settings.from_environment({"ENVIRONMENT": "prod", "PAGER_WEBHOOK_URL_ANN": phone.url})
    yield Phones(Pagers(settings, webhooks), environment="prod")
    await webhooks.aclose()


async def _outage(phones: Phones) -> None:
    phones.forget()
    await phones.ring("the database does not answer", [(Channel.WEBHOOK, "ann")], since=datetime.now(UTC))


async def test_the_end_of_a_second_outage_is_told_however_long_ago_the_first_one_ended(
    phones: Phones, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _outage(phones)
    await phones.cancel_pages()
    await _outage(phones)
    monkeypatch.setattr(module, "GIVE_UP_AFTER", timedelta(0))  # any time at all is too long since the first end

    await phones.cancel_pages()

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "resolved"] * 2


async def test_a_pager_that_stays_away_is_given_up_after_a_while(
    phones: Phones, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _outage(phones)
    phone.is_away = True
    await phones.cancel_pages()
    phone.is_away = False
    monkeypatch.setattr(module, "GIVE_UP_AFTER", timedelta(0))

    await phones.cancel_pages()

    assert len(phone.rings) == 1
