"""`python -m bot`: the bot's process. SIGTERM and SIGINT stop it in order."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # while modules are imported: none of them is garbage, and looking for it took a fifth of the time

import asyncio
import logging
import os
import signal
import sys
from collections.abc import MutableMapping

from bot.app import run
from bot.config.environment import ADMIN_URL, Settings, read_log_format
from services.domain.errors import OperatorError
from services.process import collect_garbage_again, log_to_streams

logger = logging.getLogger("bot")

EXIT_MISCONFIGURED = 2


def drop_owner(environ: MutableMapping[str, str]) -> None:
    """The owner's connection string is for `dragonfly migrate`: the bot does not keep it, nor hand it to a child."""
    if environ.pop(ADMIN_URL, None):
        logger.warning("%s is not for the bot, which drops it: set it where `dragonfly migrate` runs only", ADMIN_URL)


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(Settings.from_environment(os.environ), stop)


def main() -> None:
    """Run until a signal to stop."""
    log_to_streams(read_log_format(os.environ))
    logging.getLogger("bot").setLevel(logging.INFO)
    drop_owner(os.environ)
    try:
        asyncio.run(_main())
    except OperatorError as error:
        sys.stderr.write(f"CRITICAL: {error}\n")
        sys.exit(EXIT_MISCONFIGURED)


if __name__ == "__main__":
    collect_garbage_again()
    main()
