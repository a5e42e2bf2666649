"""Entry point of `python -m bot`, the bot's process. SIGTERM and SIGINT shut it down in order."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # off during the imports: they leave no garbage, and collecting took a fifth of their time

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping

from bot.app import run
from bot.config.connections import ADMIN_URL
from bot.config.environment import Settings, read_log_format
from services.domain.errors import OperatorError
from services.process import collect_garbage_again, log_to_streams

logger = logging.getLogger("bot")

EXIT_MISCONFIGURED = 2


def without_owner(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the owner's connection string: only `dragonfly migrate` may have it, no child process."""
    return {name: value for name, value in environ.items() if name != ADMIN_URL}


def start_without_owner() -> None:
    """If the owner's connection string was given, replace this process by one that never had it.

    Taking it out of `os.environ` is not enough: the kernel keeps the first environment in `/proc/<pid>/environ`.
    """
    if not os.environ.get(ADMIN_URL):
        return
    logger.warning("the bot drops %s: set it only where `dragonfly migrate` runs", ADMIN_URL)
    os.execve(sys.executable, sys.orig_argv, without_owner(os.environ))  # noqa: S606 - no shell is wanted


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(Settings.from_environment(os.environ), stop)


def main() -> None:
    """Run the bot until SIGTERM or SIGINT. Exits with 2 if the settings are wrong."""
    log_to_streams(read_log_format(os.environ))
    logging.getLogger("bot").setLevel(logging.INFO)
    start_without_owner()
    try:
        asyncio.run(_main())
    except OperatorError as error:
        sys.stderr.write(f"CRITICAL: {error}\n")
        sys.exit(EXIT_MISCONFIGURED)


if __name__ == "__main__":
    collect_garbage_again()
    main()
