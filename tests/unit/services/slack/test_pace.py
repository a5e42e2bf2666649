"""Each channel's messages keep their distance."""

from __future__ import annotations

import asyncio

from services.slack.pace import Pace


async def test_messages_of_one_channel_keep_their_distance() -> None:
    pace = Pace(every_s=0.1)
    started = asyncio.get_running_loop().time()

    await asyncio.gather(*[pace.wait("C1") for _ in range(3)])

    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_channels_do_not_wait_for_each_other() -> None:
    pace = Pace(every_s=60)

    await asyncio.wait_for(asyncio.gather(*[pace.wait(f"C{number}") for number in range(10)]), 1)
