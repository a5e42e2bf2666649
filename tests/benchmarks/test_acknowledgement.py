"""The time that Slack waits for the bot's acknowledgement, compared with a bare Bolt app."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from services.sandbox.railway.replica import signal_group, spawn
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.messages import ChangeKind, Subscription
from services.sandbox.slack.workspace import Workspace
from tests.benchmarks.conftest import ROOT, START_WITHIN_S, Stage
from tests.benchmarks.measuring import ms, percentile, seconds, show

COMMANDS = 500
WARM_UP = 25
AIM = 1.3
SETTLE_S = 0.02  # for background work of the previous command
LINE = "/dragonfly failed-jobs"  # reads the database, and answers only the requester: Slack limits posts per channel


@pytest.fixture
async def bare_bolt(stage: Stage) -> AsyncIterator[Workspace]:
    """Start a bare Bolt app, and yield its Slack."""
    variables = {"SLACK_BOT_TOKEN": "xoxb-bare", "SLACK_APP_TOKEN": "xapp-bare", "SLACK_API_URL": stage.bare_api_url}
    process = await spawn((sys.executable, "-m", "tests.benchmarks.bare_bolt"), variables, ROOT)
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while not stage.bare_workspace.sockets.count:
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield stage.bare_workspace
    finally:
        signal_group(process.pid, signal.SIGTERM)
        await process.communicate()


@pytest.mark.benchmark
@pytest.mark.timeout(300)
async def test_acknowledgement_is_as_quick_as_that_of_a_bare_bolt_app(stage: Stage, bare_bolt: Workspace) -> None:
    await stage.start_bot()
    ours, bare = [], []
    with stage.workspace.subscribe() as answers:
        for number in range(WARM_UP + COMMANDS):
            if number % 2:
                bare.append(await _acknowledged_s(bare_bolt))
            ours.append(await _acknowledged_s(stage.workspace))
            await _answered(answers)
            if not number % 2:
                bare.append(await _acknowledged_s(bare_bolt))
    del ours[:WARM_UP], bare[:WARM_UP]

    ratios = {percent: percentile(ours, percent) / percentile(bare, percent) for percent in (50, 99)}
    show(
        f"Acknowledgement of {COMMANDS} commands (aim: at most {AIM} times the bare app)",
        *[
            (f"p{percent}", f"{ratio:.2f} x  ({ms(percentile(ours, percent))} / {ms(percentile(bare, percent))})")
            for percent, ratio in ratios.items()
        ],
    )
    assert max(ratios.values()) <= 2 * AIM


async def _acknowledged_s(workspace: Workspace) -> float:
    await asyncio.sleep(SETTLE_S)
    person = acting_as(workspace, model.OLIVIA.id)

    async def type_command() -> None:
        assert await person.type(model.INCIDENTS_ID, LINE) is None

    return await seconds(type_command)


async def _answered(changes: Subscription) -> None:
    """Wait for the answer, so that both apps are idle at the next command."""
    async with asyncio.timeout(10):
        while (await changes.next_change()).kind is not ChangeKind.MESSAGE_POSTED:
            continue
