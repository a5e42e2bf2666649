"""Schedule changes: a shift is swapped and taken over, and the file changes while the bot runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import Bot
from services.clients.postgres.oncall_changes import list_oncall_calendars, read_oncall_file
from services.clients.postgres.pool import Connection
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import QUICK_BEATS, Slack, StartBot
from tests.integration.bot.running.crew import Crew
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel

HANDOVER = datetime.now(UTC) - timedelta(hours=6)  # Ann's shift today; 18 h are left
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
    note = await channel.expect(f"<@{model.BEN.id}> is on call now, after <@{model.ANN.id}>", "no incident")

    await channel.press(note, "Add a line", by=model.ANN)
    await channel.fill_in("the queue is slow on Mondays", by=model.ANN)

    await channel.expect("📝", "the queue is slow on Mondays", thread=note)


async def is_stored(bot: Bot, calendar: str | None = None) -> bool:
    """True if the leader has stored the file, or the calendar, with which later ones are compared."""
    assert bot.world.database is not None
    async with bot.world.database.read() as conn:
        if calendar is not None:
            return calendar in {one.calendar for one in await list_oncall_calendars(conn)}
        return await read_oncall_file(conn) is not None


async def test_ann_and_ben_swap_shifts_and_ben_takes_over_early(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, tmp_path: Path
) -> None:
    file = tmp_path / "oncall.toml"
    file.write_text(FILE)
    await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))

    await channel.type(f"oncall swap <@{model.BEN.id}>", by=model.ANN)
    asked = await channel.expect("asks", "to swap shifts of *primary*", "nothing changed")
    await channel.press(asked, "Accept", by=model.BEN)
    await channel.expect(f"✅ <@{model.BEN.id}> accepted", at=asked)
    await channel.type("oncall", by=model.ANN)
    board = await channel.expect(f"1. <@{model.BEN.id}>", "Take primary now", by=model.ANN)

    await channel.press(board, "Take primary now", by=model.ANN)

    await channel.expect(f"<@{model.ANN.id}> is on call", f"instead of <@{model.BEN.id}>", "confirms it")


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
    await channel.expect("The on-call file was not loaded", "oncall.toml line 7", "bem")

    await channel.type("oncall", by=model.BEN)
    await channel.expect(f"1. <@{model.BEN.id}>", "the last good one is in force", by=model.BEN)
    await bot.stop()
    await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))  # the mistake is still there
    await channel.type("oncall", by=model.OLIVIA)
    await channel.expect(f"1. <@{model.BEN.id}>", "the last good one is in force", by=model.OLIVIA)


async def test_ben_promises_something_after_the_incident_and_does_it(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel
) -> None:
    await start_bot(database_urls.bot, **PEOPLE)
    await channel.type("incident open sev3 no uploads since noon")
    root = await channel.expect("*OPEN*", "no uploads since noon")

    await channel.type(f"incident todo <@{model.BEN.id}> by friday buy more memory", thread=root, by=model.ANN)
    todo = await channel.expect(f"☐ <@{model.BEN.id}>: buy more memory", "follow-up 1", thread=root)
    await channel.type("incident todo", by=model.BEN)
    await channel.expect("Open follow-ups", "buy more memory", by=model.BEN)
    await channel.press(todo, "Done", by=model.BEN)

    await channel.expect("✅", f"done by <@{model.BEN.id}>", at=todo)


def calendar(*titles: str) -> str:
    """A calendar with one event per day, from Ann's handover today on."""
    days = [HANDOVER + timedelta(days=number) for number in range(len(titles))]
    events = [
        f"BEGIN:VEVENT\r\nUID:{day:%d}\r\nDTSTART:{day:%Y%m%dT%H%M%SZ}\r\nDURATION:P1D\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"
        for day, title in zip(days, titles, strict=True)
    ]
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:team\r\n{''.join(events)}END:VCALENDAR\r\n"


async def test_the_teams_calendar_says_who_is_on_call_and_a_broken_one_takes_no_one_off(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, tmp_path: Path
) -> None:
    file, team = tmp_path / "oncall.toml", tmp_path / "team.ics"
    file.write_text(FILE[: FILE.index("people = ")] + 'calendar = "team.ics"\n' + FILE[FILE.index("[[levels]]") :])
    team.write_text(calendar("Ann on call", "Ann on call", "Ben on call"))
    bot = await start_bot(database_urls.bot, **PEOPLE, DRAGONFLY_ONCALL=str(file))
    await channel.type("oncall", by=model.ANN)
    await channel.expect(f"1. <@{model.ANN.id}>", by=model.ANN)
    async with asyncio.timeout(STORY_S):
        while not await is_stored(bot, "team.ics"):
            await asyncio.sleep(0.05)

    team.write_text(calendar("Ben on call", "Ann on call", "Carl on call"))
    await channel.expect(
        "The calendar of primary changed",
        f"<@{model.BEN.id}> instead of <@{model.ANN.id}>",
        "*no one* instead of",
        "⚠️ An event from ",
        "names no one in",
    )
    await channel.expect_direct("The calendar of primary changed your shifts", to=model.BEN)
    team.write_text("<html>Sign in</html>")
    await channel.expect("The calendar team.ics was not loaded", "the last good one stays in force")

    await channel.type("oncall", by=model.BEN)
    await channel.expect(f"1. <@{model.BEN.id}>", "the last good one is in force", "call at level 1", by=model.BEN)


async def test_the_queue_is_silenced_for_a_planned_backup_and_no_one_is_called(
    start_bot: StartBot, database_urls: DatabaseUrls, slack: Slack, channel: Channel, crew: Crew, as_bot: Connection
) -> None:
    await start_bot(database_urls.bot, **PEOPLE, **QUICK_BEATS)
    worker = crew.hire("ingest-1")
    await channel.type("silence backlog in 30m for 2h every week year-end load", by=model.ANN)
    await channel.expect(f"<@{model.ANN.id}> silences `backlog` from", "every", "an hour before")
    await channel.expect_direct("⏰ Your planned silence begins in", "year-end load", to=model.ANN)
    await channel.type("silence ingest in 2s for 2h backup", by=model.ANN)
    await channel.expect("`ingest` is silenced until", f"as <@{model.ANN.id}> planned: backup")

    worker.kill()

    held = "SELECT count(*) FROM chatops.alert_decisions WHERE fingerprint = 'heartbeats.ingest'"
    async with asyncio.timeout(STORY_S):
        while await (await as_bot.execute(held)).fetchone() == (0,):
            await asyncio.sleep(0.05)
    await channel.type("why heartbeats.ingest")
    await channel.expect("silence 1: backup", f"silenced by <@{model.ANN.id}>")
    assert not [message for message in slack.seen() if message.text.startswith("🔴")]
    await channel.type("silences", by=model.OLIVIA)
    listed = await channel.expect("*Silences* (1)", "*Planned* (1)", by=model.OLIVIA)
    await channel.press(listed, "Cancel it")
    await channel.expect("cancelled planned silence 1 of `backlog`")
