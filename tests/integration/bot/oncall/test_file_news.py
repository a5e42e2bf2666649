"""Messages in the channel about a watched file: each refusal once, across restarts of the leader, and its end."""

from __future__ import annotations

from pathlib import Path

from bot.config.behavior import PeopleSettings
from bot.config.environment import Settings
from bot.config.policy_file import DEFAULT
from bot.oncall.calendar_sources import CalendarSources, CalendarWatch
from bot.oncall.file_watch import OnCallFileNews, OnCallFileWatch
from bot.periodic_tasks import PeriodicTask
from bot.slack_directory import SlackNames
from bot.watched_files.rules import PolicyNews, PolicyWatch
from bot.world import World
from services.clients.slack import SlackClient
from services.sandbox.slack import model
from tests.integration.bot.incidents.conftest import Books, Scene
from tests.integration.bot.oncall.test_calendar_sources import FILE

ONCALL = FILE.replace('calendar = "team"', 'people = ["ann"]\nevery = "week"\nstarts = 2026-01-05\nhandover = "09:00"')


async def reported(books: Books, name: str) -> list[str]:
    """Return the first line of each message, oldest first."""
    stored = await books.messages()
    return [text.partition("\n")[0] for key, text in stored.items() if key.startswith(f"{name}:file:")]


async def test_the_on_call_file(scene: Scene, books: Books, tmp_path: Path) -> None:
    path = tmp_path / "oncall.toml"
    path.write_text(ONCALL)
    settings = Settings.from_environment({"DRAGONFLY_ONCALL": str(path)})
    world = World(settings)

    def start() -> tuple[OnCallFileWatch, OnCallFileNews]:
        calendars = CalendarWatch(CalendarSources(settings, scene.database), world, scene.reschedule)
        watch = OnCallFileWatch(path, world, scene.database, calendars)
        return watch, OnCallFileNews(watch, scene.database, scene.wake_ups, channel=model.INCIDENTS_ID)

    refused, good = (
        "🔴 The on-call file was not loaded: the last good one stays in force",
        "✅ The on-call file is good again and is in force",
    )
    watch, task = start()
    await change(watch, task, scene, path, ONCALL)
    assert await reported(books, "oncall") == []

    await change(watch, task, scene, path, "bad")
    watch, task = start()
    await change(watch, task, scene, path, "bad")
    assert await reported(books, "oncall") == [refused]
    watch, task = start()
    await change(watch, task, scene, path, ONCALL)  # as a release changes it
    assert await reported(books, "oncall") == [refused, good]
    await change(watch, task, scene, path, "bad")
    await change(watch, task, scene, path, ONCALL)
    await change(watch, task, scene, path, ONCALL + "\n")

    assert (await reported(books, "oncall"))[:4] == [refused, good] * 2
    assert good not in (await reported(books, "oncall"))[4:]


async def test_the_policy(scene: Scene, slack: SlackClient, books: Books, tmp_path: Path) -> None:
    path, policy = tmp_path / "policy.toml", DEFAULT.read_text(encoding="utf-8")
    people = PeopleSettings(operators=(model.OPERATORS.id,), approvers=(model.APPROVERS.id,), policy_path=path)
    path.write_text(policy)
    watch = PolicyWatch(people, scene.database, lambda _policy: None, is_in_force=True)
    names = SlackNames(slack, ())
    wake_ups = scene.incident_store.wake_ups
    task = PolicyNews(watch, scene.database, wake_ups, channel="#incidents", environment="dev", names=names)
    await change(watch, task, scene, path, policy)

    for _ in range(2):
        await change(watch, task, scene, path, "bad")
        await change(watch, task, scene, path, policy)

    refused, good = (
        "🔴 The policy file was not loaded: the last good one stays in force",
        "✅ The policy file is good again and is in force",
    )
    assert await reported(books, "policy") == [refused, good, refused, good]


async def change(
    watch: OnCallFileWatch | PolicyWatch, task: PeriodicTask, scene: Scene, path: Path, content: str
) -> None:
    path.write_text(content)
    for _ in range(2):
        await watch.check()
    await task.tick(scene.fence)
