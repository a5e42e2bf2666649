"""A whole rollback to a commit with a hostile message: from the typed line through the approval to its proof."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.views.run_buttons import APPROVE
from services.clients.postgres.audit import verify_audit
from services.clients.postgres.pool import Connection
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import HISTORY
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import Slack
from tests.integration.bot.running.conftest import start_whole as start_whole
from tests.integration.bot.running.test_runs_in_slack import bot as bot
from tests.integration.bot.running.test_runs_in_slack import click, until
from tests.integration.bot.runs.conftest import PACE, TOKEN, local_services
from tests.integration.bot.runs.conftest import wire as wire
from tests.integration.bot.test_hostile_markup import parsed
from tests.wire import Wire

SAYS = "Accept written dates"
PLACE = "HOSTILEPLACE"  # replaced by half an emoji in Railway's answer, which the local Railway cannot store
HOSTILE = (
    "\ud83d \x00 \x1b[31m \u202egnp.exe\u2066 <!here> <!channel> @channel @here <@U0OTTO00001> <!subteam^S0OTHER>"
    " *bold* _wide_ ~gone~ `code` ```fence :red_circle: https://evil.example/login <https://evil.example|good>"
)
NOWHERE = ("\ud83d", "\x00", "\x1b", "\u202e", "\u2066", "x" * 5000)
FORMATS = (
    *("<!here>", "<!channel>", "<@U0OTTO00001>", "<!subteam^S0OTHER>", "*bold*", "_wide_", "~gone~", "```"),
    *(":red_circle:", "://evil.example"),
)


@pytest.fixture
async def railway(tmp_path: Path, database_urls: DatabaseUrls) -> AsyncIterator[LocalRailway]:
    message = f"{SAYS} {PLACE} {'x' * 100_000}"
    local = LocalRailway(
        local_services(database_urls.app),
        directory=tmp_path,
        working_directory=tmp_path,
        token=TOKEN,
        pace=PACE,
        commits=tuple(replace(one, message=message, author=f"Ann {PLACE}") for one in HISTORY),
    )
    await local.start()
    try:
        await local.wait_until_serving(60)
        yield local
    finally:
        await local.stop()


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("bot")
async def test_a_rollback_to_a_commit_of_harmful_words_is_filed_approved_and_proved(
    slack: Slack, wire: Wire, railway: LocalRailway, as_owner: Connection
) -> None:
    wire.rewrite = lambda text: text.replace(PLACE, json.dumps(HOSTILE)[1:-1])
    target = railway.commits[1].sha[:8]

    await slack.type(f"/dragonfly rollback ingest {target}")
    asked = await slack.wait_for(lambda message: "WAITING FOR APPROVAL" in message.text)
    await slack.type("/dragonfly deployments ingest")
    listed = await slack.wait_for(lambda message: message.ts != asked.ts and SAYS in json.dumps(message.blocks))
    await click(slack, asked, APPROVE, model.ANN)
    done = await until(slack, asked, "DONE")

    assert f"→ {target}" in done.text
    assert "NOT PROVED" not in done.text
    payloads = [call.payload for call in slack.workspace.calls]
    written = json.dumps(payloads, ensure_ascii=False)
    assert [piece for piece in NOWHERE if json.dumps(piece, ensure_ascii=False)[1:-1] in written] == []
    marked_up = [text for one in payloads for text in (_outside_code(str(one.get("text"))), *_mrkdwn(one))]
    assert [(piece, text[:200]) for piece in FORMATS for text in marked_up if piece in text] == []
    assert not any(":red_circle:" in text for one in payloads for text in parsed(one))
    assert listed.blocks
    rows = await (await as_owner.execute("SELECT state FROM chatops.runs")).fetchall()
    assert rows == [("succeeded",)]
    report = await verify_audit(as_owner)
    assert report.ok, report.what
    assert report.rows >= 3


def _mrkdwn(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield _outside_code(value["text"])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _mrkdwn(one)


def _outside_code(mrkdwn: str) -> str:
    return "".join(mrkdwn.split("`")[::2])
