"""The local Railway: one project with one environment, whose services are local processes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from services.domain.deployments import DeploymentStatus
from services.sandbox.railway.edge import Edge
from services.sandbox.railway.model import (
    HISTORY,
    REGION,
    Commit,
    Faults,
    Pace,
    Place,
    ServiceSpec,
    find_commit,
    newest_good,
)
from services.sandbox.railway.records import DeploymentRecord, PatchRecord, current_deployment, past_deployments
from services.sandbox.railway.replica import Replica
from services.sandbox.railway.runner import ServiceRunner
from services.sandbox.railway.snapshot import Snapshot, view_service


class Changes:
    """A counter that can be waited for. Changes between two reads become one tick, so that no reader falls behind."""

    def __init__(self) -> None:
        self.count = 0
        self._watchers: set[asyncio.Event] = set()

    def tick(self) -> None:
        """Record a change."""
        self.count += 1
        for watcher in self._watchers:
            watcher.set()

    async def subscribe(self) -> AsyncIterator[int]:
        """Yield the counter now, and again after each change."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            while True:
                watcher.clear()
                yield self.count
                await watcher.wait()
        finally:
            self._watchers.discard(watcher)


KEPT_DEPLOYMENTS = 50  # per service
FORMAT = 1

Json = Mapping[str, Any]


def read_state(path: Path) -> Json:
    """The file's content; empty if there is none or it has another format: then everything starts anew."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) and state.get("format") == FORMAT else {}


def write_state(path: Path, project_id: str, environment_id: str, services: Sequence[ServiceRunner]) -> None:
    """Replace the file in one step, so that a crash leaves the old one. Raises OSError."""
    state = {
        "format": FORMAT,
        "project_id": project_id,
        "environment_id": environment_id,
        "services": {service.spec.name: _dump_service(service) for service in services},
    }
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(state), encoding="utf-8")
    draft.replace(path)


def restore_service(service: ServiceRunner, saved: Json, commits: tuple[Commit, ...]) -> DeploymentRecord | None:
    """Load the saved deployments into the service; return the one that was active, to be resumed, or None."""
    service.id = saved["id"]
    service.regions = dict(saved["regions"])
    service.auto_deploy = saved["auto_deploy"]
    loaded = [_load_deployment(one, commits) for one in saved["deployments"]]
    service.deployments = [record for record in loaded if record]
    active = next((record for record in service.deployments if record.id == saved["active"]), None)
    for record in service.deployments:
        if record is not active and not record.status.is_failed:
            record.status = DeploymentStatus.REMOVED  # because none of its processes runs any more
    return active


def _dump_service(service: ServiceRunner) -> Json:
    return {
        "id": service.id,
        "regions": service.regions,
        "auto_deploy": service.auto_deploy,
        "active": service.active.id if service.active else None,
        "deployments": [_dump_deployment(record) for record in service.deployments[-KEPT_DEPLOYMENTS:]],
    }


def _dump_deployment(record: DeploymentRecord) -> Json:
    return {
        "id": record.id,
        "sha": record.commit.sha,
        "creator": record.creator,
        "created_at": record.created_at.isoformat(),
        "status": record.status.value,
        "status_updated_at": record.status_updated_at.isoformat(),
        "served": record.served,
    }


def _load_deployment(saved: Json, commits: tuple[Commit, ...]) -> DeploymentRecord | None:
    """The saved deployment; None if its commit is not in the history any more."""
    commit = find_commit(commits, saved["sha"])
    if commit is None:
        return None
    created_at = datetime.fromisoformat(saved["created_at"])
    return DeploymentRecord(
        commit,
        saved["creator"],
        visible_at=created_at,
        id=saved["id"],
        created_at=created_at,
        status=DeploymentStatus(saved["status"]),
        status_updated_at=datetime.fromisoformat(saved["status_updated_at"]),
        served=saved["served"],
    )


logger = logging.getLogger(__name__)

PAGE_USER = "Sandbox page"  # the creator of deployments that a person starts in the panel


class NotFoundError(LookupError):
    """There is no such service, replica, deployment or commit; the text names it."""


class LocalRailway:
    """The local Railway. Start it in the event loop in which it is used; `stop` leaves no process behind.

    `directory` holds the state file; `working_directory` is that of the processes. `edge_port` 0 takes any free port.
    `token` is accepted as a project token and as a bearer token.
    """

    def __init__(
        self,
        services: Sequence[ServiceSpec],
        *,
        directory: Path,
        working_directory: Path,
        token: str,
        edge_port: int = 0,
        environment_name: str = "sandbox",
        pace: Pace | None = None,
        commits: tuple[Commit, ...] = HISTORY,
    ) -> None:
        self.token = token
        self.faults = Faults()
        self.commits = commits
        self.place = Place(str(uuid4()), str(uuid4()), environment_name, working_directory)
        self.pace = pace or Pace()
        self.services: dict[str, ServiceRunner] = {}
        self.patches: list[PatchRecord] = []  # since this start
        self._specs = tuple(services)
        self._state_file = directory / "railway.json"
        self._edge_port = edge_port
        self._changes = Changes()
        self._http: aiohttp.ClientSession | None = None
        self._edge: Edge | None = None

    @property
    def edge_url(self) -> str:
        """The API's public address, without a slash at the end; empty before `start`."""
        return self._edge.url if self._edge else ""

    async def start(self) -> None:
        """Open the edge, and deploy each service, or resume its last deployment. Does not wait for them."""
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        # The edge forwards bodies unchanged, compressed or not.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        self._edge = Edge(self._find_public_ports, self._http)
        await self._edge.start(self._edge_port)
        saved = read_state(self._state_file)
        if saved:
            self.place = replace(self.place, project_id=saved["project_id"], environment_id=saved["environment_id"])
        for spec in self._specs:
            self._start_service(spec, self._http, saved.get("services", {}).get(spec.name))
        self._changed()

    async def stop(self) -> None:
        """Stop every process (SIGTERM, then SIGKILL) and close the edge."""
        await asyncio.gather(*(service.close() for service in self.services.values()))
        if self.services:
            self._changed()
        if self._edge:
            await self._edge.stop()
        if self._http:
            await self._http.close()

    async def wait_until_serving(self, timeout_s: float) -> None:
        """Wait until each service's active deployment is SUCCESS. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            async for _ in self.subscribe():
                actives = [service.active for service in self.services.values()]
                if all(active and active.status is DeploymentStatus.SUCCESS for active in actives):
                    return

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        return Snapshot(
            project_id=self.place.project_id,
            environment_id=self.place.environment_id,
            environment_name=self.place.environment_name,
            edge_url=self.edge_url,
            edge_latency_s=self._edge.latency_s if self._edge else 0.0,
            faults=replace(self.faults),
            commits=self.commits,
            services=tuple(view_service(service) for service in self.services.values()),
        )

    def subscribe(self) -> AsyncIterator[int]:
        """Yield a number at once, and another after each change; changes in quick succession become one."""
        return self._changes.subscribe()

    def deploy(self, service: str, sha: str, *, creator: str = PAGE_USER) -> DeploymentRecord:
        """Build and start a commit. Raises NotFoundError."""
        commit = find_commit(self.commits, sha)
        if commit is None:
            raise NotFoundError(f"no commit {sha}")
        return self.find_service(service).deploy(commit, creator=creator)

    def scale(self, service: str, replicas: int) -> None:
        """Set the number of replicas, at least 1: Railway has stopped deployments, but no service without a replica."""
        if replicas < 1:
            raise ValueError("a service has at least one replica; stop its deployment instead")
        self.find_service(service).scale({REGION: replicas})

    def restart(self, service: str) -> None:
        """Restart all replicas of the active deployment."""
        runner = self.find_service(service)
        runner.restart(self._active(runner))

    def stop_service(self, service: str) -> None:
        """Stop all replicas of the active deployment; `restart` starts them again."""
        runner = self.find_service(service)
        runner.stop(self._active(runner))

    def kill(self, replica_id: str) -> None:
        """Kill a replica; it stays down until `start_replica` or a restart."""
        self.find_replica(replica_id).kill()

    def fill_memory(self, service_name: str) -> None:
        """Let the service's metrics show memory that rises to its limit, at which its replicas are killed."""
        service = self.find_service(service_name)
        replicas = service.active.replicas if service.active else []
        now = datetime.now(UTC)
        service.meter.measure({one.id: one.pid for one in replicas if one.pid is not None}, now)
        service.meter.start_ramp(now)

    def freeze(self, replica_id: str) -> None:
        """Pause a replica's process."""
        self.find_replica(replica_id).freeze()

    def thaw(self, replica_id: str) -> None:
        """Let a frozen replica continue."""
        self.find_replica(replica_id).thaw()

    def start_replica(self, replica_id: str) -> None:
        """Start a replica that is down."""
        self.find_replica(replica_id).start()

    def set_latency(self, seconds: float) -> None:
        """Slow the API down: the edge waits before it forwards."""
        if self._edge:
            self._edge.latency_s = max(seconds, 0.0)
        self._changes.tick()

    def set_faults(self, faults: Faults) -> None:
        """Make the GraphQL endpoint misbehave; `Faults()` ends it."""
        self.faults = faults
        self._changes.tick()

    def remember_patch(self, patch: Json, message: str | None) -> str:
        """Record a commit to the environment; return its id."""
        self.patches.append(PatchRecord(patch, message))
        return self.patches[-1].id

    def find_service(self, name_or_id: str) -> ServiceRunner:
        """The service with this name or id. Raises NotFoundError."""
        for service in self.services.values():
            if name_or_id in (service.spec.name, service.id):
                return service
        raise NotFoundError(f"no service {name_or_id}")

    def find_replica(self, replica_id: str) -> Replica:
        """The replica, searched among the active deployments. Raises NotFoundError."""
        for service in self.services.values():
            if replica := service.find_replica(replica_id):
                return replica
        raise NotFoundError(f"no replica {replica_id}")

    def find_deployment(self, deployment_id: str) -> tuple[ServiceRunner, DeploymentRecord]:
        """The service and the deployment with this id. Raises NotFoundError."""
        for service in self.services.values():
            for record in service.listed():
                if record.id == deployment_id:
                    return service, record
        raise NotFoundError(f"no deployment {deployment_id}")

    def _start_service(self, spec: ServiceSpec, http: aiohttp.ClientSession, saved: Json | None) -> None:
        service = ServiceRunner(spec, place=self.place, pace=self.pace, http=http, on_change=self._changed)
        self.services[spec.name] = service
        active = restore_service(service, saved, self.commits) if saved else None
        if not saved:
            active = current_deployment(self.commits)
            service.deployments = [*past_deployments(self.commits), active]
        if active:
            service.resume(active)
        else:
            service.deploy(newest_good(self.commits), creator="Ana Ruiz")

    def _find_public_ports(self) -> list[int]:
        return [
            port for service in self.services.values() if service.spec.is_public for port in service.running_ports()
        ]

    def _active(self, runner: ServiceRunner) -> DeploymentRecord:
        if runner.active is None:
            raise NotFoundError(f"{runner.spec.name} has no active deployment")
        return runner.active

    def _changed(self) -> None:
        place, services = self.place, tuple(self.services.values())
        try:
            write_state(self._state_file, place.project_id, place.environment_id, services)
        except OSError as exc:  # a full disk must not stop the services
            logger.warning("The local Railway cannot save its state: %s", exc.strerror)
        self._changes.tick()
