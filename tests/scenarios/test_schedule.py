"""The schedule bends: a shift is swapped and taken over, and the file changes while the bot runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import Bot
from services.clients.postgres.oncall_changes import read_oncall_file
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import StartBot
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel

HANDOVER = datetime.now(UTC) - timedelta(hours=6)  # Ann's shift of today; 18 h of it are left
FILE = f"""version = 1
[people.ann]
slack = "{model.ANN.id}"
[people.ben]
slack = "{model.BEN.id}"
[rotations.primary]
people = ["ann", "ben"]
every = "day"
starts = {HANDOVER:%Y-%m-%d}
handover = "{HANDOVER:%H:%M}"
[[levels]]
call = ["primary"]
accept_slack_only = true
"""


async def test_ann_hands_over_to_ben_and_adds_a_line(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, tmp_path: Path
) -> None:
    minutes_ago = datetime.now(UTC) - timedelta(days=1, minutes=3)
    file = tmp_path / "oncall.toml"
    began = FILE.replace(f"{HANDOVER:%Y-%m-%d}", f"{minutes_ago:%Y-%m-%d}")
    file.write_text(began.replace(f"{HANDOVER:%H:%M}", f"{minutes_ago:%H:%M}"))
    await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))
    note = await channel.expect(f"<@{model.BEN.id}> is on call now, after <@{model.ANN.id}>", "no incident is open")

    await channel.press(note, "Add a line", by=model.ANN)
    await channel.fill_in("the queue is slow on Mondays", by=model.ANN)

    await channel.expect("📝", "the queue is slow on Mondays", thread=note)


async def is_stored(bot: Bot) -> bool:
    """Whether the leader knows the file with which later ones are compared."""
    assert bot.world.database is not None
    async with bot.world.database.read() as conn:
        return await read_oncall_file(conn) is not None


async def test_ann_and_ben_swap_shifts_and_ben_takes_over_early(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, tmp_path: Path
) -> None:
    file = tmp_path / "oncall.toml"
    file.write_text(FILE)
    await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))

    await channel.type(f"oncall swap <@{model.BEN.id}>", by=model.ANN)
    asked = await channel.expect("asks", "to swap shifts of *primary*", "nothing changed so far")
    await channel.press(asked, "Accept", by=model.BEN)
    await channel.expect(f"✅ <@{model.BEN.id}> accepted", at=asked)
    await channel.type("oncall", by=model.ANN)
    board = await channel.expect(f"1. <@{model.BEN.id}>", "Take primary now", by=model.ANN)

    await channel.press(board, "Take primary now", by=model.ANN)

    await channel.expect(f"<@{model.ANN.id}> is on call for *primary* instead of <@{model.BEN.id}>", "confirms it")


async def test_the_file_changes_while_the_bot_runs_and_a_mistake_takes_no_one_off_call(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, tmp_path: Path
) -> None:
    file = tmp_path / "oncall.toml"
    file.write_text(FILE)
    bot = await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))
    await channel.type("oncall", by=model.ANN)
    await channel.expect(f"1. <@{model.ANN.id}>", by=model.ANN)
    async with asyncio.timeout(STORY_S):
        while not await is_stored(bot):
            await asyncio.sleep(0.05)

    file.write_text(FILE.replace('people = ["ann", "ben"]', 'people = ["ben"]'))
    await channel.expect("The on-call file changed", "rotation primary: ben, daily", f"<@{model.BEN.id}> instead of")
    file.write_text(FILE.replace('people = ["ann", "ben"]', 'people = ["bem"]'))
    await channel.expect("The on-call file was not taken", "oncall.toml line 7", "bem")

    await channel.type("oncall", by=model.BEN)
    await channel.expect(f"1. <@{model.BEN.id}>", "the last good one is in force", by=model.BEN)
    await bot.stop()
    await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))  # with the mistake still there
    await channel.type("oncall", by=model.OLIVIA)
    await channel.expect(f"1. <@{model.BEN.id}>", "the last good one is in force", by=model.OLIVIA)


async def test_ben_promises_something_after_the_incident_and_does_it(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    await channel.type("incident open sev3 no uploads since noon")
    root = await channel.expect("*OPEN*", "no uploads since noon")

    await channel.type(f"incident todo <@{model.BEN.id}> by friday raise the memory limit", thread=root, by=model.ANN)
    todo = await channel.expect(f"☐ <@{model.BEN.id}>: raise the memory limit", "follow-up 1", thread=root)
    await channel.type("incident todo", by=model.BEN)
    await channel.expect("Open follow-ups", "raise the memory limit", by=model.BEN)
    await channel.press(todo, "Done", by=model.BEN)

    await channel.expect("✅", f"done by <@{model.BEN.id}>", at=todo)
