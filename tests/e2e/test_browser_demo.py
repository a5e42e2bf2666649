"""A newcomer's first minutes: the demo's page in a browser, with the real bot behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Page, expect

from services.domain.services import Service

if TYPE_CHECKING:
    from tests.e2e.conftest import OpenPage, Stage


MISSES_WORKERS = True
SECOND = True
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_health_is_typed_and_answered(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.sandbox.page_url, width=1400, height=900) as page:
        await _type(page, "/dragonfly health all")

        await expect(_last(page)).to_contain_text("dev is healthy")
        await expect(_last(page)).to_contain_text("1 of 1 alive")


async def test_private_answer_is_hidden_from_another_person(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.sandbox.page_url, width=1400, height=900) as page:
        await _type(page, "/dragonfly env api")
        await expect(_last(page)).to_contain_text("SUPABASE_DB_URL is present")
        await expect(page.get_by_text("Only visible to you").last).to_be_visible()

        await page.get_by_role("link", name="Otto Lind").click()

        await expect(page.get_by_role("textbox", name="Message #dragonfly-incidents")).to_be_visible()
        await expect(page.get_by_text("SUPABASE_DB_URL is present")).to_have_count(0)


async def test_a_worker_killed_in_the_panel_is_reported_and_started_again(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.sandbox.page_url, width=1400, height=900) as page:
        card = (
            page.locator("section, article, li, div")
            .filter(has_text=Service.INGEST)
            .filter(has=page.get_by_role("button", name="Kill", exact=True))
        )
        await card.last.get_by_role("button", name="Kill", exact=True).click()

        alert = page.locator("#timeline article").filter(has_text=re.compile("🔴 ingest (is down|crashed)")).last
        await expect(alert).to_be_visible()
        await card.last.get_by_role("button", name="Start").click()
        await expect(page.locator("#timeline article").filter(has_text="CLEARED").last).to_be_visible()


async def test_command_fails_visibly_while_the_bot_is_dead_and_works_after_its_start(
    stage: Stage, open_page: OpenPage
) -> None:
    async with open_page(stage.sandbox.page_url, width=1400, height=900) as page:
        await page.get_by_role("button", name="Kill the bot").click()
        await expect(page.get_by_text("is not connected")).to_be_visible()
        await _type(page, "/dragonfly health")
        await expect(page.get_by_text("dispatch_failed").last).to_be_visible()

        await page.get_by_role("button", name="Start the bot").click()
        await expect(page.get_by_text("The bot is connected")).to_be_visible(timeout=60_000)
        await _type(page, "/dragonfly health")

        await expect(_last(page)).to_contain_text("dev is healthy")


async def test_a_phone_shows_the_answer_without_scrolling_sideways(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.sandbox.page_url, width=390, height=844, has_touch=True) as page:
        await _type(page, "/dragonfly heartbeats")

        await expect(_last(page)).to_contain_text("of 1 alive")
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_switch_opens_the_other_environment_whose_bot_is_another_one(stage: Stage, open_page: OpenPage) -> None:
    async with open_page(stage.sandbox.page_url, width=1280, height=900) as page:
        await page.get_by_role("button", name="staging").click()
        await expect(page.get_by_role("link", name="staging").first).to_have_attribute("aria-current", "true")

        await _type(page, "/dragonfly-staging health", channel="dragonfly-staging")
        await expect(_last(page)).to_contain_text("🟦 staging")
        await expect(_last(page)).to_contain_text("staging is healthy")

        await page.get_by_role("link", name="dev").click()
        await _type(page, "/dragonfly health")
        await expect(_last(page)).to_contain_text("dev is")


async def _type(page: Page, line: str, *, channel: str = "dragonfly-incidents") -> None:
    box = page.get_by_role("textbox", name=f"Message #{channel}")
    await expect(box).to_be_visible()
    await page.wait_for_load_state()  # the page's scripts handle Enter from then on
    await box.fill(line)
    await box.press("Escape")  # closes the completion
    await box.press("Enter")


def _last(page: Page) -> Locator:
    return page.locator("#timeline article").last
