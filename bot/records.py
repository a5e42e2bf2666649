"""Reads incidents, runs with their steps and decisions, and the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from bot.world import World
from services.clients.postgres import approvals, incidents, runs
from services.clients.postgres.pool import Connection
from services.domain.audit import AuditHead, AuditReport, AuditRow, ExportedRow
from services.domain.errors import SourceError, Unavailable
from services.domain.incidents import Incident, IncidentRecord, JoinedAlert
from services.domain.runs import Lock, Record, Review, Run

MOST_EVENTS = 500  # of one incident; people write some dozens


async def read_open_incidents(world: World) -> list[Incident] | Unavailable:
    """Those that nobody resolved yet, oldest first."""
    return await world.read(incidents.list_open_incidents)


async def read_alerts_of_open_incidents(world: World) -> list[JoinedAlert]:
    """In the order in which they joined; none while the database is away."""
    found = await world.read(incidents.list_alerts_of_open_incidents)
    return [] if isinstance(found, Unavailable) else found


async def read_incidents(world: World, *, limit: int) -> list[Incident] | Unavailable:
    """Newest first."""
    return await world.read(lambda conn: incidents.list_incidents(conn, limit=limit))


async def read_incident_record(world: World, incident_id: int) -> IncidentRecord | Unavailable | None:
    """None when there is no incident of this number."""
    return await world.read(lambda conn: _read(conn, incident_id))


async def _read(conn: Connection, incident_id: int) -> IncidentRecord | None:
    incident = await incidents.read_incident(conn, incident_id)
    if incident is None:
        return None
    return IncidentRecord(
        incident=incident,
        alerts=tuple(await incidents.list_joined_alerts(conn, incident_id)),
        pages=tuple(await incidents.list_pages(conn, incident_id)),
        events=tuple(await incidents.list_events(conn, incident_id, limit=MOST_EVENTS)),
    )


EXPORTED_AT_ONCE = 1000  # rows; most are some hundred bytes
AUDIT_OF_A_RUN = 100  # rows; a run writes a few for each of its states


async def read_runs(world: World, *, limit: int) -> list[Run] | Unavailable:
    """Newest first."""
    return await world.read(lambda conn: runs.list_runs(conn, limit=limit))


async def read_open_runs(world: World) -> list[Run] | Unavailable:
    """Those that have not ended, oldest first."""
    return await world.read(runs.list_open_runs)


async def read_record(world: World, run_id: int) -> Record | Unavailable | None:
    """Everything about one run; None when there is none of this number."""
    return await world.read(lambda conn: _read_record(conn, run_id))


async def read_audit(world: World, *, limit: int) -> list[AuditRow] | Unavailable:
    """Newest first."""
    return await world.read(lambda conn: approvals.list_audit(conn, limit=limit))


async def verify_audit(world: World, *, remembered: str) -> AuditReport | Unavailable:
    """Whether the chain holds; `remembered` is the beginning of a hash that some closing message shows, or empty."""
    return await world.read(lambda conn: approvals.verify_audit(conn, remembered=remembered))


async def export_audit(world: World, head: AuditHead) -> AsyncIterator[list[ExportedRow]]:
    """All rows up to the head, oldest first, page by page: no more than a page is ever held.

    Raises SourceError when the database is away.
    """
    seq = 0
    while seq < head.seq:
        page = await world.read(partial(approvals.export_audit, after=seq, limit=EXPORTED_AT_ONCE))
        if isinstance(page, Unavailable):
            raise SourceError(page.source, page.why, retryable=True)
        if not page:
            return  # cut off: the head tells
        yield [row for row in page if row.seq <= head.seq]
        seq = page[-1].seq


async def read_audit_head(world: World) -> AuditHead:
    """What the newest row is, as remembered apart from the rows. Raises SourceError when the database is away."""
    head = await world.read(approvals.read_audit_head)
    if isinstance(head, Unavailable):
        raise SourceError(head.source, head.why, retryable=True)
    return head


async def read_open_reviews(world: World) -> list[tuple[Review, Run]] | Unavailable:
    """What somebody did without being approved and nobody has looked at yet, oldest first, with the run."""
    return await world.read(_read_open_reviews)


async def read_locks(world: World) -> list[Lock] | Unavailable:
    """The services that carry a lock."""
    return await world.read(approvals.list_locks)


async def _read_open_reviews(conn: Connection) -> list[tuple[Review, Run]]:
    found = [(review, await runs.read_run(conn, review.run_id)) for review in await approvals.list_open_reviews(conn)]
    return [(review, run) for review, run in found if run is not None]


async def _read_record(conn: Connection, run_id: int) -> Record | None:
    run = await runs.read_run(conn, run_id)
    if run is None:
        return None
    return Record(
        run=run,
        steps=tuple(await runs.read_steps(conn, run_id)),
        decisions=tuple(await approvals.list_decisions(conn, run_id)),
        audit=tuple(reversed(await approvals.list_audit(conn, limit=AUDIT_OF_A_RUN, run_id=run_id))),
        review=await approvals.read_review(conn, run_id),
        lone=await approvals.read_lone_start(conn, run_id),
    )
