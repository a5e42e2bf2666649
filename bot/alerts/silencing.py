"""Makes and lifts silences: on any replica, in one transaction with the audit log. The leader sees to the rest."""

from __future__ import annotations

from datetime import timedelta

from services.domain.alerts import Alert, Silence, is_meant
from services.domain.runs import Person
from services.postgres import alerts, silences
from services.postgres.audit import append_audit
from services.postgres.clock import read_clock
from services.postgres.hints import notify_hint
from services.postgres.pool import Connection, Database


async def silence(database: Database, *, what: str, lasts: timedelta, reason: str, person: Person) -> Silence:
    """Nobody is told of `what` from now on. Raises SourceError when the database is away."""
    async with database.transaction() as conn:
        is_known = any(is_meant(what, alert.fingerprint, alert.service) for alert in await _open_alerts(conn))
        made = await silences.create_silence(
            conn, what=what, owner=person.user_id, reason=reason, lasts=lasts, in_advance=not is_known
        )
        await notify_hint(conn)
        details = {"silence": made.id, "what": what, "ends_at": made.ends_at.isoformat(), "reason": reason}
        await append_audit(conn, actor=person.user_id, event="silence.made", run_id=None, details=details)
    return made


async def lift(database: Database, *, silence_id: int, person: Person) -> Silence | None:
    """The silence as it ended; None when there is none of this number that lasts."""
    async with database.transaction() as conn:
        ended = await silences.end_silence(
            conn, id=silence_id, at=await read_clock(conn), outcome=f"lifted by {person.user_id}"
        )
        if ended is not None:
            await notify_hint(conn)
            details = {"silence": ended.id, "what": ended.what}
            await append_audit(conn, actor=person.user_id, event="silence.lifted", run_id=None, details=details)
    return ended


async def _open_alerts(conn: Connection) -> list[Alert]:
    known = await alerts.list_alerts(conn, now=await read_clock(conn), again_within=timedelta())
    return [alert for alert in known if alert.is_open]
