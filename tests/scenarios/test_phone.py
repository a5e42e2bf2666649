"""A paged person acknowledges outside Slack: by the link in an e-mail, and in PagerDuty."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from bot.app import Bot
from services.sandbox.slack import model
from tests.answers import SECRET, pager_event, signed, user
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import StartBot
from tests.outside import Mailbox, Phone, until
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel
from tests.scenarios.test_nights import on_call

PUBLIC = "https://bot.example.com"
ANSWERS = {"BOT_PUBLIC_URL": PUBLIC, "PAGERDUTY_WEBHOOK_SECRET": SECRET}


async def test_ann_acknowledges_by_the_link_in_her_mail(
    start_bot: StartBot,
    database_urls: DatabaseUrls,
    channel: Channel,
    phone: Phone,
    mailbox: Mailbox,
    tmp_path: Path,
) -> None:
    bot = await start_bot(database_urls.bot, **PEOPLE, **ANSWERS, **on_call(tmp_path, phone, mailbox))
    await channel.type("incident open no uploads since noon")
    root = await channel.expect("🔴 no uploads since noon")
    await until(lambda: len(mailbox.mails) == 1, timeout_s=STORY_S)
    link = address(bot, mailbox)

    async with httpx.AsyncClient(trust_env=False) as browser:
        shown = await browser.get(link)  # as a mail scanner does
        pressed = await browser.post(link)

    assert "no uploads since noon" in shown.text
    assert "You&#x27;re assigned" in pressed.text
    await channel.expect(f"*ACKNOWLEDGED* by <@{model.ANN.id}>", at=root)
    await until(lambda: events(phone)[-1:] == ["acknowledged"], timeout_s=STORY_S)
    assert events(phone) == ["triggered", "acknowledged"]


async def test_ann_acknowledges_in_pagerduty_and_resolves_there(
    start_bot: StartBot,
    database_urls: DatabaseUrls,
    channel: Channel,
    phone: Phone,
    mailbox: Mailbox,
    tmp_path: Path,
) -> None:
    bot = await start_bot(database_urls.bot, **PEOPLE, **ANSWERS, **on_call(tmp_path, phone, mailbox))
    await channel.type("incident open no uploads since noon")
    root = await channel.expect("🔴 no uploads since noon")
    [ring] = await phone.wait_for()
    assert ring.body is not None

    await report(bot, "acknowledged", ring.body["alert_key"])
    await channel.expect("*ACKNOWLEDGED* by Ann Keller (PagerDuty)", at=root)
    await report(bot, "resolved", ring.body["alert_key"])

    await channel.expect("✅ *RESOLVED*", "resolved in PagerDuty", "Ann Keller (PagerDuty)", at=root)


def address(bot: Bot, mailbox: Mailbox) -> str:
    """The URL of the e-mail's link on this machine."""
    found = re.search(rf"Acknowledge: {re.escape(PUBLIC)}(/ack/[0-9a-f]{{32}})", mailbox.mails[0].get_content())
    assert found is not None
    return f"http://127.0.0.1:{bot.web.port}{found[1]}"


async def report(bot: Bot, what: str, alert_key: str) -> None:
    body, headers = signed(pager_event(what, alert_key, agent=user()))
    async with httpx.AsyncClient(trust_env=False) as pagerduty:
        url = f"http://127.0.0.1:{bot.web.port}/hooks/pagerduty"
        assert (await pagerduty.post(url, content=body, headers=headers)).status_code == 202


def events(phone: Phone) -> list[str]:
    return [ring.body["event"] for ring in phone.rings if ring.body]
