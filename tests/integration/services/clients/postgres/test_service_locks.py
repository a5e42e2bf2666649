"""Locks of services: one per service, with its owner and reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.clients.postgres.freezes import list_locks, lock_service, unlock_service
from services.clients.postgres.pool import Connection
from services.domain.services import Service

FileRun = Callable[..., Awaitable[int]]


async def test_a_lock_reports_who_why_and_since_when(as_bot: Connection, file_run: FileRun) -> None:
    run_id = await file_run(as_bot)
    await lock_service(as_bot, service=Service.API, owner="U1", reason="rolled back", run_id=run_id)

    (lock,) = await list_locks(as_bot)
    assert (lock.service, lock.owner, lock.reason, lock.run_id) == (Service.API, "U1", "rolled back", run_id)
    assert lock.locked_at.tzinfo is not None


async def test_a_further_rollback_takes_the_lock_over(as_bot: Connection) -> None:
    await lock_service(as_bot, service=Service.API, owner="U1", reason="first")
    await lock_service(as_bot, service=Service.API, owner="U2", reason="second")

    assert [(lock.owner, lock.reason) for lock in await list_locks(as_bot)] == [("U2", "second")]


async def test_a_lock_is_lifted_once(as_bot: Connection) -> None:
    await lock_service(as_bot, service=Service.API, owner="U1", reason="x")
    await lock_service(as_bot, service=Service.INGEST, owner="U1", reason="x")

    assert await unlock_service(as_bot, service=Service.API)
    assert not await unlock_service(as_bot, service=Service.API)
    assert [lock.service for lock in await list_locks(as_bot)] == [Service.INGEST]
