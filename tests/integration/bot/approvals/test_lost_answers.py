"""A change whose COMMIT got no answer: people learn whether it was made, and a repeated delivery makes it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.approvals.service import ApprovalService
from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.incidents.service import IncidentService
from bot.incidents.store import IncidentStore, Place
from bot.slack_directory import Groups, SlackNames
from bot.types import Answer, Request, Surface
from bot.views.errors import error_answer
from bot.wake_ups import WakeUps
from bot.world import World
from playbooks.model import Status
from services.clients.postgres.pool import Connection, Database
from services.clients.slack import SlackClient
from services.domain.channels import Channel
from services.domain.errors import OperatorError, SourceError
from services.domain.oncall import Level, OnCallPerson, Schedule
from services.domain.rotations import Rotation
from services.domain.secrets import Secret
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import ANN, TEAM, MakeApprovalService
from tests.wire import Line, Where

# Typed line: (table that it writes to, command that shows the change).
CHANGES = {
    "silence ingest 2h we move the queue": ("silences", "silences"),
    "silence ingest sat 02:00 for 2h every week backup": ("planned_silences", "silences"),
    "freeze api for 2h we move the queue": ("freezes", "freeze"),
    "lock ingest migration by hand": ("freezes", "freeze"),
    "incident open no uploads": ("incidents", "incident"),
    "incident todo 1 raise the limit": ("incident_todos", "incident 1"),
    f"oncall swap <@{model.BEN.id}>": ("oncall_swaps", "oncall"),
    f"oncall override <@{model.BEN.id}> 4h primary": ("oncall_overrides", "oncall"),
}

# Lines that end something: the setup, the typed line, and the command that shows the change.
ENDS = (
    ("silence ingest 2h we move the queue", "silence end 1", "silences"),
    ("silence ingest sat 02:00 for 2h every week backup", "silence cancel 1", "silences"),
    ("freeze api for 2h we move the queue", "unfreeze", "freeze"),
    ("lock ingest migration by hand", "unfreeze 2", "freeze"),
    (f"oncall override <@{model.BEN.id}> 4h primary", "oncall override end 1", "oncall"),
    ("incident open no uploads", "incident todo 1 raise the limit", "incident 1"),
    ("incident escalate 1", "incident done 1", "incident 1"),
    ("incident escalate 1", "incident resolve a bad deploy", "incident"),
    ("incident open no uploads", "incident resolve 2 a bad deploy", "incident 2"),
)


@dataclass
class Bot:
    """The commands over a connection that can lose the database's answers."""

    line: Line
    world: World
    approval_service: ApprovalService
    incident_service: IncidentService

    async def run(self, words: str, delivery: str | None) -> Answer:
        """Run the line as Ann in Slack; an error is returned as its answer."""
        request = Request((), Surface.SLASH, ANN, model.INCIDENTS_ID, delivery=delivery)
        try:
            return await run(words, request, self.world, self.approval_service, self.incident_service)
        except (OperatorError, SourceError) as error:
            return error_answer(error)

    async def lose_the_commit(
        self, words: str, table: str, delivery: str | None, *, where: Where = "after", for_good: bool = False
    ) -> Answer:
        """Return the answer to a line whose COMMIT is lost while it writes to this table: "before" it reached the
        database, or "after", once it has committed. `for_good`: the database stays unreachable."""
        writing = self.line.hold(f"INSERT INTO chatops.{table} ".encode(), "before", lose=False)
        running = asyncio.create_task(self.run(words, delivery))
        reached = asyncio.create_task(writing.reached.wait())
        await asyncio.wait((running, reached), return_when=asyncio.FIRST_COMPLETED)
        assert not running.done(), running.result().text
        lost = self.line.hold(b"COMMIT", where)
        writing.release()
        await lost.reached.wait()
        if for_good:
            self.line.cut()
        lost.release()
        answer = await running
        self.line.mend()
        return answer


def schedule() -> Schedule:
    """Ann and Ben take turns of 1 day; Ann's has begun."""
    people = {
        name: OnCallPerson(name, user.id, webhook=name) for name, user in (("ann", model.ANN), ("ben", model.BEN))
    }
    start = datetime.now(UTC) - timedelta(hours=6)
    rotation = Rotation("primary", ("ann", "ben"), 1, start.date(), start.time(), ZoneInfo("UTC"))
    level = Level(("primary",), frozenset(Channel), timedelta(hours=1))
    return Schedule(people, {"primary": rotation}, (level,))


@pytest.fixture
async def bot(
    database_urls: DatabaseUrls, slack: SlackClient, make_approval_service: MakeApprovalService
) -> AsyncIterator[Bot]:
    everyone = (model.OPERATORS.id, model.APPROVERS.id)
    async with Line(database_urls.bot).serve() as line:
        database = Database.connect_lazily(Secret(line.dsn), application_name="test", timeout_s=60.0)
        environ = {"DRAGONFLY_OPERATORS": ",".join(everyone), "ENVIRONMENT": "dev", "SUPABASE_MODE": "dev"}
        tokens = {"SLACK_BOT_TOKEN": "xoxb-local", "SLACK_APP_TOKEN": "xapp-local"}
        world = World(Settings.from_environment(environ | tokens), database=database)
        world.schedule = schedule()
        groups = Groups(slack, everyone, workspace=lambda: TEAM, timeout_s=30.0)
        names, place = SlackNames(slack, ()), Place("dev", model.INCIDENTS_ID, schedule(), ())
        incident_store = IncidentStore(place, WakeUps(), name_of=names.of)
        incident_service = IncidentService(database, incident_store, groups, names, everyone)
        yield Bot(line, world, make_approval_service(operators=everyone, dsn=line.dsn), incident_service)
        await groups.aclose()
        await world.close()


async def count(conn: Connection, table: str) -> int:
    row = await (await conn.execute(f"SELECT count(*) FROM chatops.{table}")).fetchone()  # noqa: S608 - ours
    assert row is not None
    return int(row[0])


async def test_a_change_whose_commit_was_lost_is_reported_as_made_and_a_repeated_delivery_makes_it_once(
    bot: Bot, as_owner: Connection
) -> None:
    await bot.run("incident open the first", None)
    for number, (words, (table, shown_by)) in enumerate(CHANGES.items()):
        before = await count(as_owner, table)

        lost = await bot.lose_the_commit(words, table, f"trigger:{number}")
        again = await bot.run(words, f"trigger:{number}")

        assert await count(as_owner, table) == before + 1, words
        for answer in (lost, again):
            assert "It was done" in answer.text, (words, answer.text)
            assert f"`{shown_by}` shows it" in answer.text, (words, answer.text)
            assert answer.status is Status.OK


async def test_a_change_of_which_nothing_more_can_be_learned_is_unknown_and_one_line_shows_it(
    bot: Bot,
) -> None:
    await bot.run("incident open the first", None)
    for number, (words, (table, shown_by)) in enumerate(CHANGES.items()):
        lost = await bot.lose_the_commit(words, table, f"trigger:{number}", for_good=True)

        assert f"`{shown_by}`" in lost.text, (words, lost.text)
        assert lost.status is Status.UNKNOWN


async def test_a_change_whose_commit_never_arrived_is_reported_as_not_made(bot: Bot, as_owner: Connection) -> None:
    words = "silence ingest 2h we move the queue"

    lost = await bot.lose_the_commit(words, "silences", "trigger:1", where="before")

    assert ("not done" in lost.text, lost.status) == (True, Status.FAIL)
    assert await count(as_owner, "silences") == 0
    assert "silenced" in (await bot.run(words, "trigger:1")).text
    assert await count(as_owner, "silences") == 1


async def test_the_same_words_of_another_delivery_are_another_change(bot: Bot, as_owner: Connection) -> None:
    for number in range(2):
        answer = await bot.run("silence ingest 2h we move the queue", f"trigger:{number}")
        assert "silenced" in answer.text

    assert await count(as_owner, "silences") == 2


async def test_an_end_whose_process_died_behind_the_commit_is_reported_as_made_to_the_repeated_delivery(
    bot: Bot, as_owner: Connection
) -> None:
    for number, (before, words, shown_by) in enumerate(ENDS):
        await bot.run(before, None)
        first = await bot.run(words, f"trigger:{number}")
        assert first.status is Status.OK, (words, first.text)

        recorded = await count(as_owner, "audit")
        again = await bot.run(words, f"trigger:{number}")

        assert "It was done" in again.text, (words, again.text)
        assert f"`{shown_by}` shows it" in again.text, (words, again.text)
        assert await count(as_owner, "audit") == recorded, words


async def test_an_end_by_another_delivery_is_refused_as_ended_before(bot: Bot) -> None:
    for number, (before, words, _) in enumerate(ENDS[:5]):
        await bot.run(before, None)
        await bot.run(words, f"trigger:{number}")

        other = await bot.run(words, f"another:{number}")

        assert "It was done" not in other.text, (words, other.text)
