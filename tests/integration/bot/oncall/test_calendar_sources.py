"""A calendar as the source of a rotation: the shifts in force, the messages in the channel, and what survives a
restart."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.config.environment import Settings
from bot.oncall import calendar_sources
from bot.oncall.calendar_news import CalendarNews
from bot.oncall.calendar_sources import LASTING_S, CalendarSources, CalendarWatch, Problem, load_calendars
from bot.world import World
from services.clients.calendars import CalendarClient
from services.domain.calendar_slots import LARGEST
from services.domain.oncall import Schedule, holder
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import Books, Scene

HOUR = timedelta(hours=1)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
FILE = f"""version = 1
[people.ann]
slack = "{model.ANN.id}"
[people.ben]
slack = "{model.BEN.id}"
[rotations.primary]
calendar = "team"
[[levels]]
call = ["primary"]
accept_slack_only = true
"""


def calendar(*titles: str) -> bytes:
    """A calendar with one event of 1 day per title, from yesterday noon on."""
    days = [NOON + timedelta(days=number) for number in range(-1, len(titles) - 1)]
    events = [
        f"BEGIN:VEVENT\r\nUID:{day:%d}\r\nDTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}\r\nDTSTART:{day:%Y%m%dT%H%M%SZ}\r\n"
        f"DTEND:{day + timedelta(days=1):%Y%m%dT%H%M%SZ}\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"
        for day, title in zip(days, titles, strict=True)
    ]
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


class Server:
    """The server of the calendar; with `content` None it answers no request."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.calls = 0

    def client(self) -> CalendarClient:
        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return ("93.184.216.34",)

        return CalendarClient(largest=LARGEST, transport=httpx.MockTransport(self._answer), resolve=resolve)

    def _answer(self, _request: httpx.Request) -> httpx.Response:
        self.calls += 1
        return httpx.Response(503) if self.content is None else httpx.Response(200, content=self.content)


class Replica:
    """One process with the on-call file, which is the leader."""

    def __init__(
        self, scene: Scene, folder: Path, server: Server, file: str = FILE, fetch_every_s: float = 0.0
    ) -> None:
        path = folder / "oncall.toml"
        path.write_text(file)
        self.settings = Settings.from_environment(
            {"DRAGONFLY_ONCALL": str(path), "ONCALL_CALENDAR_URL_TEAM": "https://calendar.example/3f9a.ics"}
        )
        self.world = World(self.settings)
        self._scene = scene
        sources = CalendarSources(self.settings, scene.database, server.client(), fetch_every_s=fetch_every_s)
        self.watch = CalendarWatch(sources, self.world, self._apply)

    def _apply(self, schedule: Schedule) -> None:
        self.world.schedule = schedule
        self._scene.reschedule(schedule)

    async def start(self) -> None:
        assert isinstance(self.world.schedule, Schedule)
        await self.watch.follow(self.world.schedule)
        await self.tick()

    async def fetch(self) -> None:
        """Fetch the calendar as after 5 min, and run the leader's task."""
        await self.watch.check()
        await self.tick()

    async def tick(self) -> None:
        """Run the task of the leader twice, the second time as a successor."""
        for _ in range(2):
            scene = self._scene
            task = CalendarNews(self.watch, scene.database, scene.wake_ups, channel=model.INCIDENTS_ID)
            await task.tick(scene.fence)

    def on_call(self, at: datetime) -> str | None:
        assert isinstance(self.world.schedule, Schedule)
        found = holder(self.world.schedule, "primary", at, ())
        return found.name if found else None


async def news(books: Books) -> list[str]:
    return [text for key, text in (await books.messages()).items() if key.startswith("oncall:calendar:")]


async def test_calendar_change_moves_on_call_and_notifies_the_affected_people(
    scene: Scene, books: Books, tmp_path: Path
) -> None:
    server = Server(calendar("ann", "ann", "ben"))
    replica = Replica(scene, tmp_path, server)
    await replica.start()
    assert [replica.on_call(NOON + timedelta(days=day)) for day in (-1, 0, 1, 2)] == ["ann", "ann", "ben", None]
    assert await news(books) == []  # nothing changed

    server.content = calendar("ann", "ann", "ann", "Carl: oncology")
    await replica.fetch()

    assert replica.on_call(NOON + timedelta(days=1)) == "ann"
    reported = {key: text for key, text in (await books.messages()).items() if key.startswith("oncall:calendar:")}
    channel = next(key for key in reported if not key.endswith((model.ANN.id, model.BEN.id)))
    shown = await books.blocks(channel)
    assert f"<@{model.ANN.id}> instead of <@{model.BEN.id}>" in shown
    assert "⚠️ An event from " in shown
    assert "names no one" in shown
    assert not [text for text in (*reported.values(), shown) if "oncology" in text]  # only in check-config --json
    assert [one.title for one in replica.world.calendars["primary"].unnamed] == ["Carl: oncology"]
    people = sorted(key.rpartition(":")[2] for key in reported if key != channel)
    assert people == sorted((model.ANN.id, model.BEN.id))
    assert "The calendar of primary changed your shifts" in reported[f"{channel}:{model.BEN.id}"]
    rows = await (await books.conn.execute("SELECT user_id, gains FROM chatops.oncall_reminders")).fetchall()
    assert sorted(rows) == sorted([(model.ANN.id, True), (model.BEN.id, False)])


async def test_calendar_with_equal_events_is_not_announced_or_stored_again(
    scene: Scene, books: Books, tmp_path: Path
) -> None:
    server = Server(calendar("ann", "ben"))
    replica = Replica(scene, tmp_path, server)
    await replica.start()
    stored = await (await books.conn.execute("SELECT taken_at FROM chatops.oncall_calendars")).fetchall()

    server.content = calendar("ann", "ben").replace(b"PRODID:x", b"PRODID:y")
    await replica.fetch()

    assert await news(books) == []
    assert await (await books.conn.execute("SELECT taken_at FROM chatops.oncall_calendars")).fetchall() == stored


async def test_the_last_good_one_stays_in_force_and_the_channel_reads_it_once(
    scene: Scene, books: Books, tmp_path: Path
) -> None:
    server = Server(calendar("ann", "ben"))
    replica = Replica(scene, tmp_path, server)
    await replica.start()

    server.content = b"<html>Sign in</html>"
    for _ in range(3):
        await replica.fetch()

    assert replica.on_call(NOON) == "ben"
    assert replica.world.calendars["primary"].problem == "is not readable as iCal (ValueError)"
    assert await news(books) == [
        "🔴 The calendar team was not loaded: the last good one stays in force\n"
        "• team is not readable as iCal (ValueError)"
    ]

    server.content = calendar("ann", "ben")
    for _ in range(2):
        await replica.fetch()

    assert replica.world.calendars["primary"].problem is None
    assert (await news(books))[1:] == ["✅ The calendar team can be read again and is in force"]


async def test_calendar_server_that_is_away_briefly_is_not_announced(
    scene: Scene, books: Books, tmp_path: Path
) -> None:
    server = Server(calendar("ann", "ben"))
    replica = Replica(scene, tmp_path, server)
    await replica.start()

    server.content = None
    await replica.fetch()

    assert replica.on_call(NOON) == "ben"
    assert replica.world.calendars["primary"].problem == "refused (503)"  # check-config shows it at once
    assert await news(books) == []
    now = time.monotonic()
    assert not Problem("refused (503)", now - LASTING_S + 5, may_pass=True).is_lasting
    assert Problem("refused (503)", now - LASTING_S, may_pass=True).is_lasting


async def test_calendar_server_away_at_the_first_read_is_reported_at_once_and_asked_again_within_seconds(
    scene: Scene, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(None)
    replica = Replica(scene, tmp_path, server, fetch_every_s=300.0)
    await replica.start()
    assert replica.on_call(NOON) is None
    assert await news(books) == [
        "🔴 The calendar team was not loaded: its rotation has no one on call\n• team refused (503)"
    ]
    await replica.fetch()
    assert server.calls == 1  # not before the pause is over
    monkeypatch.setattr(calendar_sources, "FIRST_RETRY_S", 0.0)
    again = Replica(scene, tmp_path, server, fetch_every_s=300.0)
    await again.start()

    server.content = calendar("ann", "ben")
    for _ in range(3):
        await again.fetch()

    assert again.on_call(NOON) == "ben"
    assert server.calls == 3
    assert (await news(books))[1:] == ["✅ The calendar team can be read again and is in force"]


async def test_a_restart_while_the_calendar_is_away_goes_on_with_the_last_good_one(
    scene: Scene, tmp_path: Path
) -> None:
    server = Server(calendar("ann", "ben"))
    await Replica(scene, tmp_path, server).start()
    server.content, server.calls = None, 0

    again = Replica(scene, tmp_path, server, fetch_every_s=300.0)
    await again.start()

    assert again.on_call(NOON) == "ben"
    assert server.calls == 0  # and starts without waiting for it
    terminal = World(again.settings, database=scene.database)
    await load_calendars(terminal)
    assert isinstance(terminal.schedule, Schedule)
    assert holder(terminal.schedule, "primary", NOON, ()) == terminal.schedule.people["ben"]
    for _ in range(2):
        await again.fetch()
    assert server.calls == 1  # the stored calendar may be old, so it is fetched as soon as the file is in force


async def test_a_calendar_that_was_never_read_leaves_no_one_on_call_and_says_so(
    scene: Scene, books: Books, tmp_path: Path
) -> None:
    replica = Replica(scene, tmp_path, Server(b""), file=FILE.replace('"team"', '"other"'))

    await replica.start()

    assert replica.on_call(NOON) is None
    assert await news(books) == [
        "🔴 The calendar other was not loaded: its rotation has no one on call\n"
        "• other has no address that can be used: set ONCALL_CALENDAR_URL_OTHER"
    ]


async def test_an_address_is_fetched_when_it_is_due(scene: Scene, tmp_path: Path) -> None:
    server = Server(calendar("ann", "ben"))
    replica = Replica(scene, tmp_path, server, fetch_every_s=300.0)
    await replica.start()

    for _ in range(3):
        await replica.watch.check()

    assert server.calls == 1


async def test_a_file_beside_the_on_call_file_is_read_when_it_has_changed(scene: Scene, tmp_path: Path) -> None:
    file, server = tmp_path / "team.ics", Server(None)
    file.write_bytes(calendar("ann", "ann"))
    replica = Replica(scene, tmp_path, server, file=FILE.replace('"team"', '"team.ics"'))
    await replica.start()
    assert replica.on_call(NOON) == "ann"

    file.write_bytes(calendar("ben", "ben"))
    os.utime(file, (1, 1))
    await replica.watch.check()
    await replica.watch.check()  # a file counts once it was read twice unchanged
    assert replica.on_call(NOON) == "ben"
    file.rename(tmp_path / "away.ics")
    await replica.watch.check()
    assert replica.world.calendars["primary"].problem == "can't be read (No such file or directory)"
    assert replica.on_call(NOON) == "ben"
    (tmp_path / "away.ics").rename(file)
    await replica.watch.check()

    assert replica.world.calendars["primary"].problem is None
    assert server.calls == 0
