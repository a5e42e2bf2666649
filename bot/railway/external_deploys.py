"""Detects deployments and scaling made outside the bot, verifies them, and maintains their message.

It sends no requests to detect them: other readers of Railway pass their answers to `see`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from bot.facts.verify import gather_verify
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.railway.decide import (
    Evidence,
    Join,
    Memory,
    MemoryChange,
    Progress,
    Verdict,
    arrived,
    decide,
    is_settled,
    judge,
    progress,
    scope_of,
    serves,
    services_of,
    shown,
    skipped,
)
from bot.views import external_deploys as view
from bot.views.freezes import past_freezes
from bot.wake_ups import WakeUp, WakeUps
from bot.world import World
from services.clients.postgres import deployments
from services.clients.postgres.deployments import note_replicas
from services.clients.postgres.freezes import list_freezes
from services.clients.postgres.messages import store_message
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.deployments import Deployment, ExternalDeploy, ServiceState
from services.domain.freezes import in_force
from services.domain.services import Service

logger = logging.getLogger(__name__)

AGAIN_S = 15.0  # during a verification: each tick costs one call of Railway's API
NOTE_REPLICAS_EVERY_S = 61.0  # while they stay the same: the time of the last read is stored to the minute

Services = Mapping[Service, ServiceState]


class ExternalDeployWatcher(PeriodicTask):
    """Follows external deployments. `again_s`: the interval during a verification. `note_every_s`: of storing unchanged
    replicas."""

    name = "deployments"

    def __init__(
        self,
        world: World,
        database: Database,
        *,
        channel: str,
        wake_ups: WakeUps,
        again_s: float = AGAIN_S,
        note_every_s: float = NOTE_REPLICAS_EVERY_S,
    ) -> None:
        self._answered = WakeUp()
        super().__init__(self._answered)
        self._world = world
        self._database = database
        self._channel = channel
        self._wake_ups = wake_ups
        self.retry_s = again_s
        self._note_every_s = note_every_s
        self._services: Services | None = None
        self._forget()

    def _forget(self) -> None:
        """Reset this leader's copy of the stored state. Only the leader writes it, so an answer without news reads
        nothing."""
        self._settled: set[str] = set()  # deployments that were seen, and are not new again
        self._noted: dict[Service, int] = {}  # replicas
        self._note_again_at = 0.0  # by the loop's clock
        self._has_open = True  # unknown at first

    def see(self, services: Services) -> None:
        """Take Railway's newest answer; the same object again is ignored."""
        if services is not self._services:
            self._services = services
            self._answered.set()

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        self._services = None  # of an earlier term
        self._forget()
        yield

    async def tick(self, fence: Fence) -> float | None:
        """Store new deployments and follow open ones; return the seconds until the next tick, None if none is open."""
        services = self._services
        if services is None:
            return None
        if self._is_news(services):
            await self._notice(fence, services)
        if not self._has_open:
            return None
        async with self._database.read() as conn:
            open_ = await deployments.list_open_rollouts(conn)
            now = await read_clock(conn)
        ended = [await self._follow(fence, external_deploy, services, now) for external_deploy in open_]
        self._has_open = not all(ended)
        return self.retry_s if self._has_open else None

    def _is_news(self, services: Services) -> bool:
        if asyncio.get_running_loop().time() >= self._note_again_at or self._noted != _configured(services):
            return True
        return any(deployment.id not in self._settled for _, deployment in shown(services))

    async def _notice(self, fence: Fence, services: Services) -> None:
        configured = _configured(services)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await note_replicas(conn, configured)
            memory = await _read_memory(conn, services)
            changes = decide(services, memory)
            joined = await self._store(conn, changes)
            await self._report_freezes(conn, joined)
        self._noted = configured
        self._note_again_at = asyncio.get_running_loop().time() + self._note_every_s
        self._settled = {*memory.seen, *(change.deployment.id for change in changes)}
        self._has_open = bool(memory.open or joined)
        if joined:
            logger.info("deployments: %d not made by a run of the bot", sum(map(len, joined.values())))

    async def _store(self, conn: Connection, changes: Sequence[MemoryChange]) -> Mapping[int, Sequence[Join]]:
        """Store the changes. New deployments of one commit are one external deployment: `{its id: its new
        deployments}`."""
        new: dict[str | None, int] = {}
        joined: dict[int, list[Join]] = {}
        for change in changes:
            rollout_id = None
            if isinstance(change, Join):
                sha = change.deployment.commit_sha
                rollout_id = change.rollout_id or new.get(sha)
                if rollout_id is None:
                    rollout_id = new[sha] = await deployments.open_rollout(conn, commit_sha=sha)
                joined.setdefault(rollout_id, []).append(change)
            await deployments.remember_deployment(
                conn, deployment_id=change.deployment.id, service=change.service, rollout_id=rollout_id
            )
        return joined

    async def _report_freezes(self, conn: Connection, joined: Mapping[int, Sequence[Join]]) -> None:
        """Report deployments during a freeze, which Railway does not know, to its owner: a push, or a person in
        Railway, ignored it. Once, because each deployment is new once."""
        freezes = await list_freezes(conn) if joined else []
        for rollout_id, joins in joined.items():
            passed = {
                freeze.id: freeze
                for join in joins
                for freeze in in_force(freezes, (join.service,), join.deployment.created_at)
            }
            if passed:
                words, blocks = past_freezes(
                    list(passed.values()), [join.service for join in joins], joins[0].deployment
                )
                key = f"rollout:{rollout_id}:frozen:{joins[0].deployment.id}"
                await store_message(conn, key=key, channel=self._channel, text=words, blocks=blocks)

    async def _follow(self, fence: Fence, external_deploy: ExternalDeploy, services: Services, now: datetime) -> bool:
        """Judge the deployment and write its message; True if that is the final one."""
        found = progress(external_deploy, services)
        verdict = judge(external_deploy, found, await self._gather(external_deploy, services), now)
        about = self._about(external_deploy, services)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await deployments.settle_rollout(
                conn, id=external_deploy.id, is_settled=is_settled(found), serves=serves(found)
            )
            if verdict.is_final:
                await deployments.close_rollout(conn, id=external_deploy.id, outcome=verdict.sentence)
            await self._post(conn, external_deploy, about, verdict, is_settled=is_settled(found))
        self._wake_ups.outbox.set()
        return verdict.is_final

    async def _gather(self, external_deploy: ExternalDeploy, services: Services) -> Evidence:
        """Read the evidence; only settled deployments are verified."""
        found = progress(external_deploy, services)
        targets = arrived(found)
        if not is_settled(found) or not targets:
            return Evidence(services, None, await self._world.migrations(), system=self._world.system)
        facts = replace(await gather_verify(self._world, targets, external_deploy.commit_sha), stored=True)
        return Evidence(services, facts, await self._world.migrations(), system=self._world.system)

    async def _post(
        self,
        conn: Connection,
        external_deploy: ExternalDeploy,
        about: view.Shown,
        verdict: Verdict,
        *,
        is_settled: bool,
    ) -> None:
        if verdict.is_final:
            words, blocks = view.ended(about, verdict.status, verdict.sentence, verdict.steps)
        else:
            words, blocks = view.on_its_way(about, is_settled=is_settled)
        await store_message(conn, key=external_deploy.message_key, channel=self._channel, text=words, blocks=blocks)

    def _about(self, external_deploy: ExternalDeploy, services: Services) -> view.Shown:
        found = progress(external_deploy, services)
        own = services_of(found) or tuple(found)
        return view.Shown(
            environment=self._world.settings.environment,
            services=own,
            skipped=tuple(one for one in skipped(external_deploy, services) if one not in own),
            is_held=Progress.HELD in found.values(),
            scope=scope_of(own, self._world.system),
            commit_sha=external_deploy.commit_sha,
            made_by=_made_by(external_deploy, services),
            since=external_deploy.opened_at,
        )


async def _read_memory(conn: Connection, services: Services) -> Memory:
    ids = [deployment.id for _, deployment in shown(services)]
    return Memory(
        is_first=await deployments.is_first_watch(conn),
        seen=await deployments.list_seen_deployments(conn, deployment_ids=ids),
        ours=await deployments.list_own_deployments(conn, deployment_ids=ids),
        taken=await deployments.list_taken_services(conn),
        open=await deployments.list_open_rollouts(conn),
    )


def _configured(services: Services) -> dict[Service, int]:
    """Configured replicas per service, without services for which Railway reports none."""
    counts = {service: state.replicas_configured for service, state in services.items()}
    return {service: count for service, count in counts.items() if count is not None}


def _made_by(external_deploy: ExternalDeploy, services: Services) -> Deployment | None:
    own = set(external_deploy.deployments.values())
    return next((deployment for _, deployment in shown(services) if deployment.id in own), None)
