"""A whole bot as a separate process, to be killed or frozen: `python -m tests.bot_process`.

Its environment is the bot's; LEASE_S and RENEW_S shorten the leader's lease. CLAIM_TIMEOUT_S: how long a delivery waits
for its claim, which can take longer on a loaded machine than a person should wait.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # during imports, which create no garbage: collection took a fifth of the time

import asyncio
import os
import signal
from dataclasses import replace
from datetime import timedelta

from bot.app import run
from bot.config.environment import Settings
from bot.config.timing import LeaseSettings
from bot.slack import dedup
from services.process import collect_garbage_again


async def main() -> None:
    """Run until SIGTERM."""
    leases = LeaseSettings(
        timedelta(seconds=float(os.environ.get("LEASE_S", "10"))),
        timedelta(seconds=float(os.environ.get("RENEW_S", "3.5"))),
    )
    dedup.CLAIM_TIMEOUT_S = float(os.environ.get("CLAIM_TIMEOUT_S", dedup.CLAIM_TIMEOUT_S))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(replace(Settings.from_environment(os.environ), leases=leases), stop)


if __name__ == "__main__":
    collect_garbage_again()
    asyncio.run(main())
