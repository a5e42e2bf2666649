"""Observed deployments, replica counts, and what our runs did to services.

Typed calls of `sql/queries/observed.sql`, `sql/queries/rollouts.sql`, `sql/queries/service_acts.sql`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all
from services.domain.deployments import ExternalDeploy, ReplicaChange, ServiceAct
from services.domain.people import Person
from services.domain.services import Service


async def note_replicas(conn: Connection, replicas: Mapping[Service, int]) -> None:
    """Record how many replicas each service is configured to have now."""
    parameters = {"services": [service.value for service in replicas], "replicas": list(replicas.values())}
    await conn.execute(SQL["note_replicas"], parameters)


async def list_replica_changes(conn: Connection, *, within: timedelta, limit: int) -> list[ReplicaChange]:
    """List changes of the configured replicas within the window, newest first."""
    return await fetch_all(conn, _to_change, "list_replica_changes", within=within, limit=limit)


async def prune_observed_replicas(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old counts and return how many; the count that each service had then stays."""
    return (await conn.execute(SQL["prune_observed_replicas"], {"older_than": older_than})).rowcount


def _to_change(*, service: str, **columns: object) -> ReplicaChange:
    return ReplicaChange(service=Service(service), **columns)  # type: ignore[arg-type]


async def is_first_watch(conn: Connection) -> bool:
    """True if no read was ever recorded, so that the active deployment was not observed being deployed."""
    row = await (await conn.execute(SQL["is_first_watch"])).fetchone()
    return bool(row and row[0])


async def list_seen_deployments(conn: Connection, *, deployment_ids: Collection[str]) -> set[str]:
    """Return those of these deployments that were seen before."""
    cur = await conn.execute(SQL["list_seen_deployments"], {"deployment_ids": list(deployment_ids)})
    return {deployment_id for (deployment_id,) in await cur.fetchall()}


async def list_own_deployments(conn: Connection, *, deployment_ids: Collection[str]) -> set[str]:
    """Return those of these deployments that a run of ours made."""
    cur = await conn.execute(SQL["list_own_deployments"], {"deployment_ids": list(deployment_ids)})
    return {deployment_id for (deployment_id,) in await cur.fetchall()}


async def list_taken_services(conn: Connection) -> set[Service]:
    """Return the services that started runs hold."""
    cur = await conn.execute(SQL["list_taken_services"])
    return {Service(service) for (service,) in await cur.fetchall()}


async def list_open_rollouts(conn: Connection) -> list[ExternalDeploy]:
    """List the external deployments that are still open, oldest first."""
    return await fetch_all(conn, _to_external_deploy, "list_open_rollouts")


async def open_rollout(conn: Connection, *, commit_sha: str | None) -> int:
    """Store a new external deployment and return its id."""
    row = await (await conn.execute(SQL["open_rollout"], {"commit_sha": commit_sha})).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives a row or raises
    return int(row[0])


async def remember_deployment(
    conn: Connection, *, deployment_id: str, service: Service, rollout_id: int | None
) -> None:
    """Record that a deployment was seen. `rollout_id`: None if it is not announced."""
    values = {"deployment_id": deployment_id, "service": service.value, "rollout_id": rollout_id}
    await conn.execute(SQL["remember_deployment"], values)


async def settle_rollout(conn: Connection, *, id: int, is_settled: bool, serves: bool) -> None:  # noqa: A002
    """Record whether it has settled and whether it serves everywhere; the first time of each is kept.

    `is_settled` False clears both times. A deployment that failed after it served keeps the time at which it served.
    """
    await conn.execute(SQL["settle_rollout"], {"id": id, "is_settled": is_settled, "serves": serves})


async def close_rollout(conn: Connection, *, id: int, outcome: str) -> bool:  # noqa: A002
    """Store the outcome. True if it was open until now."""
    return await (await conn.execute(SQL["close_rollout"], {"id": id, "outcome": outcome})).fetchone() is not None


def _to_external_deploy(
    *,
    id: int,  # noqa: A002
    commit_sha: str | None,
    opened_at: datetime,
    settled_at: datetime | None,
    deployments: dict[str, str],
) -> ExternalDeploy:
    return ExternalDeploy(
        id, commit_sha, opened_at, settled_at, {Service(name): of for name, of in deployments.items()}
    )


async def list_service_acts(conn: Connection, *, services: Sequence[Service], limit: int) -> list[ServiceAct]:
    """List what our runs did to these services, at most `limit` per service, newest first."""
    parameters = {"services": [service.value for service in services], "limit": limit}
    return await fetch_all(conn, _to_act, "list_service_acts", **parameters)


def _to_act(*, service: str, by_user: str, by_team: str, **columns: object) -> ServiceAct:
    return ServiceAct(Service(service), by=Person(by_user, by_team), **columns)  # type: ignore[arg-type]
