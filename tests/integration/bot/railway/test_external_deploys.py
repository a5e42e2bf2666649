"""A deployment made outside the bot is verified once it has settled, and announced in one message, whichever replica
leads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import psycopg
import pytest

from bot.facts.changes import gather_recent_changes
from bot.leader import Fence, LostLeadershipError
from bot.railway.external_deploys import ExternalDeployWatcher
from bot.wake_ups import WakeUps
from bot.world import World
from services.clients.postgres.deployments import prune_observed_replicas
from services.clients.postgres.leases import LEADER, take_lease
from services.clients.postgres.migrations import read_files
from services.clients.postgres.pool import Database
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.errors import SourceError, Unavailable
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations
from tests.conftest import DatabaseUrls
from tests.integration.bot.conftest import SHA, Outside, System

OTHER = "0ddba110" * 5
HEAD = read_files()[-1].version


def deployed(name: str, sha: str = SHA, status: DeploymentStatus = DeploymentStatus.SUCCESS) -> Deployment:
    return Deployment(
        id=name,
        status=status,
        created_at=datetime.now(UTC),
        commit_sha=sha,
        commit_message="Fix the amounts <!channel>\n\nmore",
        author="Ann",
        instances=(Instance("i0", "RUNNING"),),
    )


def railway(replicas: Mapping[Service, int], **latest: Deployment) -> dict[Service, ServiceState]:
    """The services as Railway reports them. `latest`: the newest deployment by short name; one that is not SUCCESS
    leaves the old one active. Other services keep theirs."""
    found = {}
    for service in RUNBOOK.services:
        old = deployed(f"old-{service.short}", OTHER)
        newest = latest.get(service.short, old)
        serving = newest if newest.status is DeploymentStatus.SUCCESS else old
        count = replicas.get(service, 1)
        found[service] = ServiceState(service, f"s-{service.short}", (serving,), newest, replicas_configured=count)
    return found


@dataclass
class Bench:
    """One leader's watcher of external deployments, and the messages in the channel."""

    watch: ExternalDeployWatcher
    fence: Fence
    database: Database
    dsn: str

    async def see(self, replicas: Mapping[Service, int] = MappingProxyType({}), **latest: Deployment) -> bool:
        """Give the watcher this answer of Railway's; return True if an external deployment is open afterwards."""
        self.watch.see(railway(replicas, **latest))
        return await self.watch.tick(self.fence) is not None

    async def messages(self) -> list[tuple[str, str]]:
        """Return the first line and the blocks of each message, in order."""
        rows = await self.sql("SELECT text, blocks, blocks::text FROM chatops.outbox ORDER BY created_at")
        for text, blocks, _ in rows:
            assert violations({"text": text, "blocks": blocks}, surface="message") == []
        return [(text.partition("\n")[0], shown) for text, _, shown in rows]

    async def only(self) -> tuple[str, str]:
        [message] = await self.messages()
        return message

    async def sql(self, query: str) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as conn:
            cur = await conn.execute(query.encode())
            return await cur.fetchall() if cur.description else []

    async def served(self) -> list[bool]:
        """Return, for each external deployment, True if it is stored that it served."""
        return [one for (one,) in await self.sql("SELECT served_at IS NOT NULL FROM chatops.rollouts ORDER BY id")]

    async def its_time_is_over(self) -> None:
        await self.sql("UPDATE chatops.rollouts SET settled_at = now() - interval '181 seconds'")


async def lead(database: Database) -> Fence:
    async with database.transaction() as conn:
        epoch = await take_lease(conn, name=LEADER, owner="me", duration=timedelta(minutes=5))
    assert epoch is not None
    return Fence("me", epoch)


def watching(world: World, **settings: float) -> ExternalDeployWatcher:
    assert world.database is not None
    return ExternalDeployWatcher(world, world.database, channel="dragonfly-incidents", wake_ups=WakeUps(), **settings)


@pytest.fixture
async def bench(world: World, system: System, database_urls: DatabaseUrls) -> Bench:
    """Every service runs `SHA`, and the active deployments are older than the watcher."""
    assert world.database is not None
    system.work()
    made = Bench(watching(world), await lead(world.database), world.database, database_urls.owner)
    assert not await made.see()
    return made


async def test_deployment_from_before_the_first_read_is_not_reported(bench: Bench) -> None:
    assert await bench.messages() == []


async def test_a_deployment_is_one_message_from_its_start_to_its_verdict(bench: Bench) -> None:
    assert await bench.see(api=deployed("new", status=DeploymentStatus.BUILDING))
    coming, _ = await bench.only()
    assert await bench.served() == [False]

    assert not await bench.see(api=deployed("new"))

    reported, shown = await bench.only()
    assert await bench.served() == [True]
    assert coming == "🔵 *DEPLOYING* · prod · *a1b2c3d4* (Fix the amounts &lt;!channel&gt;) to api"
    assert reported.startswith("✅ *Verified: api at a1b2c3d4* · prod")
    assert "none is pending" in shown
    assert "Ann" in shown


async def test_a_push_to_all_services_is_one_message(bench: Bench) -> None:
    assert await bench.see(api=deployed("n1"), ingest=deployed("n2", status=DeploymentStatus.DEPLOYING))

    assert not await bench.see(api=deployed("n1"), ingest=deployed("n2"), enforcement=deployed("n3"))

    reported, _ = await bench.only()
    assert reported.startswith("✅ *Verified: everything at a1b2c3d4*")


async def test_a_deployment_is_announced_once_by_the_leader_however_often_it_is_read(
    bench: Bench, world: World
) -> None:
    await bench.see(api=deployed("new"))
    before = await bench.sql("SELECT content_version FROM chatops.outbox")

    successor = replace(bench, watch=watching(world), fence=await lead(bench.database))
    await successor.see(api=deployed("new"))
    with pytest.raises(LostLeadershipError):
        await replace(bench, fence=Fence("somebody else", 1)).see(ingest=deployed("n2"))

    assert await bench.sql("SELECT content_version FROM chatops.outbox") == before == [(1,)]


async def test_a_successor_goes_on_with_what_is_open(bench: Bench, world: World) -> None:
    await bench.see(api=deployed("new", status=DeploymentStatus.BUILDING))

    successor = replace(bench, watch=watching(world), fence=await lead(bench.database))
    assert not await successor.see(api=deployed("new"))

    assert (await bench.only())[0].startswith("✅")


async def test_a_worker_has_time_for_its_first_heartbeat_before_it_counts_as_failed(
    bench: Bench, system: System
) -> None:
    system.run("UPDATE ops.worker_heartbeats SET git_sha = '0ddba110'")

    assert await bench.see(ingest=deployed("new"))
    waiting, _ = await bench.only()
    await bench.its_time_is_over()
    assert not await bench.see(ingest=deployed("new"))

    reported, shown = await bench.only()
    assert waiting.startswith("🔵 *VERIFYING*")
    assert reported.startswith("🔴 *NOT verified: ingest at a1b2c3d4; ingest runs 0ddba110, not a1b2c3d4*")
    assert await bench.served() == [True]  # as Railway reports it; the worker's commit is checked separately
    assert "rollback ingest" in shown


async def test_a_deployment_is_verified_as_soon_as_the_worker_beats(bench: Bench, system: System) -> None:
    system.run("UPDATE ops.worker_heartbeats SET git_sha = '0ddba110'")
    assert await bench.see(ingest=deployed("new"))
    system.run("UPDATE ops.worker_heartbeats SET git_sha = 'a1b2c3d4'")

    assert not await bench.see(ingest=deployed("new"))

    assert (await bench.only())[0].startswith("✅ *Verified: ingest")


async def test_pending_migrations_are_warned_about(bench: Bench, system: System) -> None:
    system.run(f"DELETE FROM chatops.migrations WHERE version = '{HEAD}'")  # noqa: S608 - ours

    await bench.see(api=deployed("new"))
    await bench.its_time_is_over()
    assert not await bench.see(api=deployed("new"))

    reported, shown = await bench.only()
    assert reported.startswith("⚠️ *Verified")
    assert "api at a1b2c3d4; 1 migration not applied*" in reported
    assert "apply them before" in shown


async def test_a_deployment_that_failed_is_reported_at_once(bench: Bench) -> None:
    assert not await bench.see(api=deployed("new", status=DeploymentStatus.FAILED))

    reported, shown = await bench.only()
    assert reported.startswith("🔴 *NOT deployed: a1b2c3d4 failed on api* · prod")
    assert await bench.served() == [False]
    assert "still runs" in shown


async def test_half_a_push_that_failed_is_no_success(bench: Bench) -> None:
    failed = deployed("n2", status=DeploymentStatus.FAILED)
    await bench.see(api=deployed("n1"), ingest=failed)
    await bench.its_time_is_over()

    assert not await bench.see(api=deployed("n1"), ingest=failed)

    assert await bench.served() == [False]
    assert (await bench.only())[0].startswith("🔴 *NOT verified: api at a1b2c3d4; ingest deployment a1b2c3d4 FAILED*")


async def test_a_replaced_deployment_is_shown_as_replaced(bench: Bench) -> None:
    await bench.see(api=deployed("n1", OTHER, DeploymentStatus.BUILDING))

    await bench.see(api=deployed("n2"))

    first, second = await bench.messages()
    assert await bench.served() == [False, True]
    assert first[0].startswith("⚠️ *0ddba110 was replaced on api before it was verified*")
    assert second[0].startswith("✅ *Verified: api at a1b2c3d4*")


async def test_a_deployment_that_waits_for_a_person_links_to_railway(bench: Bench) -> None:
    held = replace(deployed("new", status=DeploymentStatus.NEEDS_APPROVAL), link="https://railway.com/held")
    assert await bench.see(api=held)
    waiting, shown = await bench.only()
    await bench.sql("UPDATE chatops.rollouts SET opened_at = now() - interval '31 minutes'")

    assert not await bench.see(api=held)

    assert waiting.startswith("🟡 *WAITING FOR APPROVAL")
    assert " · prod · *a1b2c3d4*" in waiting
    assert "https://railway.com/held" in shown
    assert (await bench.only())[0].startswith("❔ *a1b2c3d4 waits for approval in Railway on api*")


async def test_a_deployment_that_does_not_arrive_is_reported_as_still_on_its_way(bench: Bench) -> None:
    coming = deployed("new", status=DeploymentStatus.WAITING)
    assert await bench.see(api=coming)
    await bench.sql("UPDATE chatops.rollouts SET opened_at = now() - interval '31 minutes'")

    assert not await bench.see(api=coming)

    assert (await bench.only())[0].startswith("❔ *a1b2c3d4 is still on its way to api*")


async def test_a_push_of_a_monorepo_reports_which_services_took_part(bench: Bench) -> None:
    skipped = DeploymentStatus.SKIPPED
    assert not await bench.see(api=deployed("n1"), ingest=deployed("n2", status=skipped))

    reported, shown = await bench.only()
    assert reported.startswith("✅ *Verified: api at a1b2c3d4*")
    assert "Railway skipped ingest" in shown


async def test_deployment_skipped_for_all_services_is_not_reported(bench: Bench) -> None:
    left_out = [deployed(f"n{n}", status=DeploymentStatus.SKIPPED) for n in range(3)]
    assert not await bench.see(api=left_out[0], ingest=left_out[1], enforcement=left_out[2])

    assert await bench.messages() == []


async def test_deployment_that_is_skipped_later_is_reported_as_skipped(bench: Bench) -> None:
    assert await bench.see(api=deployed("new", status=DeploymentStatus.QUEUED))

    assert not await bench.see(api=deployed("new", status=DeploymentStatus.SKIPPED))

    assert (await bench.only())[0].startswith("✅ *Railway skipped a1b2c3d4: no service watches what it changed*")


RUN = """
    WITH filed AS (
        INSERT INTO chatops.runs (state, environment, playbook, parameters, plan, plan_hash, risk, title, services,
            reason, channel, approvals_needed, kinds, format, expires_at)
        VALUES ('approved', 'prod', 'redeploy', '{}', '{}', repeat('a', 64), 'high', 't', '{dragonfly-api}', '', 'c', 0,
            '{RedeployDeployment}', 1, now() + interval '1 hour') RETURNING id
    ), step AS (INSERT INTO chatops.run_steps (run_id, position, step) SELECT id, 0, '{}' FROM filed)
    INSERT INTO chatops.run_services (service, run_id) SELECT 'dragonfly-api', id FROM filed
"""


async def test_a_deployment_of_our_run_is_not_announced_as_external(bench: Bench) -> None:
    await bench.sql(RUN)
    await bench.see(api=deployed("new", status=DeploymentStatus.BUILDING))  # the journal does not have it yet
    evidence = '{"deployment_id": "new"}'
    await bench.sql("UPDATE chatops.run_steps SET state = 'running'")
    await bench.sql(f"UPDATE chatops.run_steps SET state = 'done', evidence = '{evidence}'")  # noqa: S608 - ours
    await bench.see(api=deployed("new"))
    await bench.sql("DELETE FROM chatops.run_services")

    assert not await bench.see(api=deployed("new"))

    assert await bench.messages() == []


async def test_deployment_beside_a_run_is_reported_after_the_run(bench: Bench) -> None:
    await bench.sql(RUN)
    await bench.see(api=deployed("a push", status=DeploymentStatus.BUILDING))
    assert await bench.messages() == []
    await bench.sql("DELETE FROM chatops.run_services")

    await bench.see(api=deployed("a push"))

    assert (await bench.only())[0].startswith("✅ *Verified: api")


async def test_nothing_is_verified_while_the_api_does_not_answer(bench: Bench, outside: Outside) -> None:
    outside.api_status = 500
    assert await bench.see(api=deployed("new"))
    await bench.its_time_is_over()

    assert not await bench.see(api=deployed("new"))

    assert "*Verified" not in (await bench.only())[0]


async def test_scaling_in_the_dashboard_is_known_with_the_looks_between_which_it_happened(
    bench: Bench, world: World
) -> None:
    await bench.see()
    await bench.see(replicas={Service.INGEST: 3})
    await bench.see(replicas={Service.INGEST: 3})

    facts = await gather_recent_changes(world)
    assert not isinstance(facts.scalings, Unavailable)
    [change] = facts.scalings
    assert (change.service, change.before, change.after) == (Service.INGEST, 1, 3)
    assert change.not_before < change.not_after


async def test_an_answer_without_news_costs_no_query(bench: Bench, database_urls: DatabaseUrls) -> None:
    new = deployed("new")
    assert not await bench.see(api=new)
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("LOCK TABLE chatops.leases, chatops.rollouts, chatops.rollout_deployments")

        async with asyncio.timeout(5):
            assert not await bench.see(api=new)

        with pytest.raises(SourceError):  # another deployment is news, and waits for the tables
            await bench.see(api=deployed("newer"))


async def test_how_often_railway_answers_leaves_no_rows(bench: Bench, world: World) -> None:
    bench.watch = watching(world, note_every_s=0)
    for _ in range(3):
        await bench.see()
    first = await bench.sql("SELECT service, replicas, last_seen_at FROM chatops.observed_replicas ORDER BY id")
    await bench.sql(
        "UPDATE chatops.observed_replicas SET (seen_at, last_seen_at) = (seen_at - age, last_seen_at - age)"
        " FROM (SELECT interval '61 seconds' AS age) AS earlier"
    )
    await bench.see()
    later = await bench.sql("SELECT service, replicas, last_seen_at FROM chatops.observed_replicas ORDER BY id")

    assert len(first) == len(later) == len(RUNBOOK.services)
    assert all(new[2] > old[2] for old, new in zip(first, later, strict=True))


async def test_prune_keeps_the_last_replica_count_of_each_service(bench: Bench) -> None:
    for count in (1, 2, 1):
        await bench.see(replicas={Service.INGEST: count})
    await bench.sql(
        "UPDATE chatops.observed_replicas SET (seen_at, last_seen_at) = (now() - interval '31 days', now())"
    )
    async with bench.database.transaction() as conn:
        deleted = await prune_observed_replicas(conn, older_than=timedelta(days=30))

    assert deleted == 2
    assert await bench.sql("SELECT replicas FROM chatops.observed_replicas WHERE service LIKE '%ingest'") == [(1,)]


FREEZE = """
INSERT INTO chatops.freezes (kind, service, owner, reason, starts_at, recurrence)
VALUES ('freeze', 'dragonfly-api', 'U0OLIVIA', 'the import runs', clock_timestamp() - interval '1 hour',
    '{"days": [0, 1, 2, 3, 4, 5, 6], "begins": "00:00", "zone": "UTC", "lasts_s": 86400}')
"""


async def test_deployment_in_spite_of_a_freeze_notifies_the_freeze_owner_once(bench: Bench) -> None:
    await bench.sql(FREEZE)

    assert await bench.see(api=deployed("new", status=DeploymentStatus.BUILDING))
    await bench.see(api=deployed("new"))
    await bench.see(api=deployed("new"), ingest=deployed("of another service"))

    [reported] = [(text, blocks) for text, blocks in await bench.messages() if "despite a freeze" in text]
    assert reported[0] == "⚠️ *api* was deployed despite a freeze: `a1b2c3d4`, committed by Ann, not by the bot"
    assert "<@U0OLIVIA> froze *api*: the import runs" in reported[1]
    assert "rollback api" in reported[1]
    versions = await bench.sql("SELECT content_version FROM chatops.outbox WHERE key LIKE '%:frozen:%'")
    assert versions == [(1,)]
