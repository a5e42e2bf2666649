"""Changes under pressure: requested, approved, executed and verified, in the words of the runbook."""

from __future__ import annotations

import asyncio

from services.clients.postgres.incidents import create_incident
from services.clients.postgres.pool import Connection
from services.domain.escalation_chain import Chain, encode_chain
from services.domain.incidents import IncidentSeverity, NewIncident
from services.domain.people import Person
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from tests.integration.bot.running.conftest import Slack, StartWhole
from tests.outside import until
from tests.scenarios.conftest import STORY_S, Channel, buttons_of, shown
from tests.wire import Wire


async def test_a_backlog_is_answered_by_one_more_worker(
    start_whole: StartWhole, channel: Channel, as_owner: Connection
) -> None:
    await as_owner.execute(
        "INSERT INTO ops.job_queue (job_type, run_at) SELECT 'simplicity_ingest', now() - interval '4 minutes' "
        "FROM generate_series(1, 318)"
    )
    await start_whole()

    await channel.type("queue")
    await channel.expect("318")
    await channel.type("scale ingest 2")
    asked = await channel.expect("WAITING FOR CONFIRMATION", "Scale ingest: 1 → 2")
    await channel.press(asked, "Confirm")

    await channel.expect("DONE", "every step", at=asked)


PENDING = "SELECT count(*) FROM ops.job_queue WHERE status = 'pending' AND locked_by IS NULL"


async def test_jobs_of_a_dead_worker_are_put_back_into_the_queue(
    start_whole: StartWhole, channel: Channel, as_owner: Connection
) -> None:
    await as_owner.execute(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at) "
        "VALUES ('ingest-dead', 'ingest_processor', 'running', now() - interval '10 minutes')"
    )
    await as_owner.execute(
        "INSERT INTO ops.job_queue (job_type, status, attempts, locked_at, locked_by) "
        "SELECT 'simplicity_ingest', 'processing', 1, now() - interval '11 minutes', 'ingest-dead' "
        "FROM generate_series(1, 3)"
    )
    await start_whole()

    await channel.type("requeue orphans")
    asked = await channel.expect("WAITING FOR CONFIRMATION", "3 ")
    await channel.press(asked, "Confirm")

    async with asyncio.timeout(STORY_S):
        while await (await as_owner.execute(PENDING)).fetchone() != (3,):
            await asyncio.sleep(0.1)


async def test_bad_deploy_is_rolled_back_by_a_requester_and_an_approver(
    start_whole: StartWhole, channel: Channel, railway: LocalRailway
) -> None:
    await start_whole()
    target = railway.commits[1].sha[:8]

    await channel.type(f"rollback ingest to {target}")
    asked = await channel.expect("WAITING FOR APPROVAL", f"→ {target}")
    await channel.press(asked, "Approve")
    await channel.expect("Nothing changed")
    await channel.press(asked, "Approve", by=model.ANN)

    await channel.expect("DONE", f"Approved by <@{model.ANN.id}>", at=asked)


async def test_one_person_awake_rolls_back_alone_and_it_waits_for_a_review(
    start_whole: StartWhole, slack: Slack, channel: Channel, railway: LocalRailway, as_owner: Connection
) -> None:
    await start_whole(ALONE_COUNTDOWN_SECONDS="1")
    services, ben = ("dragonfly-worker-ingest",), Person(model.BEN.id, model.TEAM.id)
    await create_incident(
        as_owner, NewIncident("dev", IncidentSeverity.SEV1, "ingest is down", services, ben, encode_chain(Chain()))
    )

    await channel.type(f"rollback ingest to {railway.commits[1].sha[:8]}", by=model.ANN)
    asked = await channel.expect("WAITING FOR APPROVAL", "Self-approve")
    await until(lambda: any("approver is needed" in one.text for one in slack.workspace.messages))
    await channel.press(asked, "Self-approve", by=model.ANN)
    await channel.fill_in("customers wait", by=model.ANN)

    done = await channel.expect("DONE", f"*Self-approved* by <@{model.ANN.id}>: customers wait", "Review", at=asked)
    assert "Veto" not in shown(done)


async def test_a_request_that_expired_is_asked_for_again(
    start_whole: StartWhole, channel: Channel, as_owner: Connection
) -> None:
    await start_whole()
    await channel.type("scale ingest 2")
    asked = await channel.expect("WAITING FOR CONFIRMATION")

    await as_owner.execute("UPDATE chatops.runs SET expires_at = clock_timestamp()")
    expired = await channel.expect("EXPIRED", at=asked)
    assert "Confirm" not in buttons_of(expired)
    await channel.press(expired, "Request again")
    again = await channel.expect("WAITING FOR CONFIRMATION")
    await channel.press(again, "Confirm")

    await channel.expect("DONE", at=again)


async def test_the_workers_are_stopped_at_once_and_another_person_reviews_it(
    start_whole: StartWhole, channel: Channel, wire: Wire
) -> None:
    await start_whole()

    await channel.type("stop-workers ingest amounts are doubled")
    stopped = await channel.expect("DONE", "amounts are doubled", "Review")
    assert wire.mutations
    await channel.press(stopped, "Review", by=model.ANN)
    await channel.fill_in("right, and mended in e4f5a6b", by=model.ANN)

    await channel.expect(f"Reviewed by <@{model.ANN.id}>", at=stopped)
