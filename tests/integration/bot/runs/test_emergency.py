"""The emergency stop while the database is away: done at once, written down when it is back."""

from __future__ import annotations

import asyncio

from bot.approvals.desk import Desk
from bot.approvals.groups import Groups
from bot.approvals.policy_file import load_policy
from bot.commands._asking import file
from bot.commands._contract import Actor, Request, Surface
from bot.runs.telling import Teller
from bot.settings import PeopleSettings
from bot.views.run import run_message
from playbooks._contract import Status
from services.domain.runs import RunState
from services.postgres import runs
from services.postgres.pool import Database
from services.sandbox.slack import cast
from services.slack.client import SlackClient
from tests.conftest import DatabaseUrls
from tests.integration.bot.approvals.conftest import no_proxy as no_proxy
from tests.integration.bot.approvals.conftest import slack as slack
from tests.integration.bot.approvals.conftest import workspace as workspace
from tests.integration.bot.runs.conftest import MakeBench
from tests.wire import Line


async def test_workers_stop_without_the_database_and_the_journal_follows(
    make_bench: MakeBench, database_urls: DatabaseUrls, slack: SlackClient
) -> None:
    async with Line(database_urls.bot).serve() as line:
        bench = await make_bench(dsn=line.dsn)
        people = PeopleSettings(operators=(cast.OLIVIA.id,), approvers=(cast.ANN.id,))
        desk = Desk(
            bench.database,
            load_policy(people),
            Groups(slack, (), workspace=lambda: cast.TEAM.id),
            Teller(lambda record, head: run_message(record, audit_head=head)),
            channel="dragonfly-incidents",
        )
        line.cut()
        request = Request((), Surface.SLASH, Actor(cast.OLIVIA.id, cast.TEAM.id), cast.INCIDENTS_ID)

        answer = await file("stop-workers", {"service": "workers", "reason": "damage"}, request, bench.world, desk)

        assert (answer.status, answer.private) == (Status.OK, False)
        assert "without the database" in answer.text
        assert bench.wire.mutations == ["stop", "stop"]
        line.mend()
        bench.start_runner()
        run_id = await _filed(bench.database)
        run, steps = await bench.ended(run_id)
        assert run.state is RunState.SUCCEEDED, (run.outcome, steps)
        assert bench.wire.mutations == ["stop", "stop"]
        await desk.aclose()
        await bench.stop_runners()
        await bench.database.close()


async def _filed(database: Database) -> int:
    async with asyncio.timeout(60):
        while True:
            async with database.read() as conn:
                found = await runs.list_runs(conn, limit=1)
            if found:
                return found[0].id
            await asyncio.sleep(0.1)
