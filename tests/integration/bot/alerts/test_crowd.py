"""Each alert is announced once, even if a replica dies. All cases: tests/chaos/test_alerts.py."""

from __future__ import annotations

import asyncio

import pytest

from tests.benchmarks.conftest import Stage
from tests.benchmarks.conftest import stage as stage
from tests.integration.bot.alerts.crowd import Crowd
from tests.serving import no_proxy as no_proxy

COUNT = 40
UNDISTURBED_S, SLACK_AWAY_S = 1.0, 3.0


@pytest.mark.timeout(180)
async def test_forty_alerts_are_reported_once_each_while_bots_are_killed_and_slack_is_down(stage: Stage) -> None:
    crowd = Crowd(stage, count=COUNT, channels=20)
    await crowd.start_bots(2)
    writing = asyncio.create_task(crowd.write())
    await asyncio.sleep(UNDISTURBED_S)

    for bot in crowd.bots:  # one of them is the leader
        await bot.kill()
    async with crowd.without_slack():
        for bot in crowd.bots:
            await bot.start()
        await asyncio.sleep(SLACK_AWAY_S)
    await writing
    await crowd.wait_until_all_are_notified(timeout_s=120)

    assert set(crowd.reported().values()) == {1}
    assert len(crowd.reported()) == COUNT
