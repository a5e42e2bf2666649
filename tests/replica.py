"""One replica's runner as a separate process, to be killed or frozen: `python -m tests.replica <name>`.

It is wired like the bot, without Slack; its environment is the bot's, with the run settings as JSON in RUN_SETTINGS.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # during imports, which create no garbage: collection took a fifth of the time

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import replace

from bot.commands.request_change import PLANS
from bot.config.environment import Settings
from bot.config.timing import RunSettings
from bot.runs.engine import Dependencies
from bot.runs.message import RunMessageWriter
from bot.runs.runner import Runner
from bot.views.run import run_message
from bot.world import World
from services.process import collect_garbage_again


async def main(name: str) -> None:
    """Run until SIGTERM."""
    pace = RunSettings(**json.loads(os.environ["RUN_SETTINGS"]))
    world = World.from_settings(replace(Settings.from_environment(os.environ), source_timeout_s=5.0, runs=pace))
    assert world.database is not None
    message_writer = RunMessageWriter(lambda record, head: run_message(record, audit_head=head))
    runner = Runner(Dependencies(world.database, world, PLANS, message_writer, pace), owner=name)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    running = asyncio.create_task(runner.run())
    sys.stdout.write("running\n")
    sys.stdout.flush()
    await stop.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await runner.hand_over()
    await world.close()


if __name__ == "__main__":
    collect_garbage_again()
    asyncio.run(main(sys.argv[1]))
