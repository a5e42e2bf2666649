"""`python -m bot`: the bot's process. SIGTERM and SIGINT stop it in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from bot.app import run
from bot.settings import Settings
from services.domain.errors import OperatorError
from services.process.log import log_to_streams

EXIT_MISCONFIGURED = 2


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(Settings.from_environment(os.environ), stop)


def main() -> None:
    """Run until told to stop."""
    log_to_streams()
    logging.getLogger("bot").setLevel(logging.INFO)
    try:
        asyncio.run(_main())
    except OperatorError as error:
        sys.stderr.write(f"CRITICAL: {error}\n")
        sys.exit(EXIT_MISCONFIGURED)


if __name__ == "__main__":
    main()
