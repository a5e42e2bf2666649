"""An incident at 3 a.m. in a browser: a worker dies, a phone rings, a person acknowledges, restarts it and writes the
cause."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from services.domain.services import Service
from tests.outside import PATIENCE_S

if TYPE_CHECKING:
    from tests.e2e.conftest import OpenPage, Stage


MISSES_WORKERS = True
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


async def test_a_dead_worker_is_acknowledged_restarted_and_resolved(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.sandbox.page_url, width=1400, height=900) as page:
        root = page.locator("#timeline article").filter(has_text="incident 1 · SEV2")
        await _kill(page, Service.INGEST)
        await expect(root).to_contain_text(re.compile("🔴 ingest (is down|crashed)"))
        phones = page.get_by_role("region", name="Phones and mail")
        ring = phones.get_by_role("list", name="Rings, newest first").get_by_role("listitem").first
        await expect(ring).to_contain_text("PAGE dev · ingest")
        await expect(ring).to_contain_text("ringing")
        await phones.get_by_text("Mail (1)").click()
        await expect(phones.locator(".mails")).to_contain_text("Acknowledge it in Slack")

        await _acknowledge(root)
        await expect(root.get_by_role("button", name="Acknowledge")).to_have_count(0)  # it had the focus before
        await expect(ring).to_contain_text("silenced")
        await root.get_by_role("link", name=re.compile("repl(y|ies)")).click()
        thread = page.locator("#thread")
        await expect(thread).to_contain_text("Most likely: ingest")
        await page.wait_for_load_state()  # the page's scripts handle clicks from then on
        await expect(thread.get_by_role("button", name="Doctor")).to_be_visible()

        await root.get_by_role("button", name="Restart ingest").click()
        run = thread.locator("article").filter(has_text=re.compile("WAITING FOR CONFIRMATION.*Restart ingest"))
        await run.get_by_role("button", name="Confirm").click()
        await expect(root).to_contain_text("CLEARED")

        await root.get_by_role("button", name="Resolve…").first.click()
        await page.get_by_role("textbox", name="the cause").fill("killed by hand, restarted")
        await page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
        await expect(root).to_contain_text("RESOLVED · ingest")
        await expect(root).to_contain_text("killed by hand, restarted")
        await expect(ring).to_contain_text("closed")
        await expect(root.get_by_role("button", name="Postmortem", exact=True)).to_be_visible()


async def _acknowledge(root: Locator) -> None:
    """Press until it is acknowledged, as a person does: an edit can replace the button during the click."""
    async with asyncio.timeout(PATIENCE_S):
        while "ACKNOWLEDGED by" not in await root.inner_text():
            with contextlib.suppress(PlaywrightTimeoutError, AssertionError):
                await root.get_by_role("button", name="Acknowledge").click(timeout=2000)
                await expect(root).to_contain_text("ACKNOWLEDGED by", timeout=5000)


async def _kill(page: Page, service: Service) -> None:
    card = (
        page.locator("section, article, li, div")
        .filter(has_text=service)
        .filter(has=page.get_by_role("button", name="Kill", exact=True))
    )
    await card.last.get_by_role("button", name="Kill", exact=True).click()
