"""What people decided about a run. The typed calls of `sql/queries/approvals.sql`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import kwargs_row

from services.domain.approvals import Decision
from services.domain.runs import Person
from services.postgres.pool import Connection
from services.postgres.queries import SQL


async def record_decision(
    conn: Connection,
    *,
    run_id: int,
    person: Person,
    approve: bool,
    reason: str,
    plan_hash: str,
    policy_hash: str,
) -> bool:
    """Whether it counts: the run waits for it, has not expired, has this plan, and the person had not decided yet.

    The run stays locked until the transaction ends; whoever counts the decisions afterwards sees all there are.
    """
    parameters = {
        "run_id": run_id,
        "user_id": person.user_id,
        "team_id": person.team_id,
        "approve": approve,
        "reason": reason,
        "plan_hash": plan_hash,
        "policy_hash": policy_hash,
    }
    return await (await conn.execute(SQL["record_decision"], parameters)).fetchone() is not None


async def lock_run(conn: Connection, run_id: int) -> datetime | None:
    """Keep the run as it is until this transaction ends; the database's time then. None: there is no such run."""
    row = await (await conn.execute(SQL["lock_run"], {"run_id": run_id})).fetchone()
    return None if row is None else row[0]


async def list_decisions(conn: Connection, run_id: int) -> list[Decision]:
    """Oldest first."""
    async with conn.cursor(row_factory=kwargs_row(_to_decision)) as cur:
        await cur.execute(SQL["list_decisions"], {"run_id": run_id})
        return await cur.fetchall()


def _to_decision(*, user_id: str, team_id: str, **columns: Any) -> Decision:
    return Decision(person=Person(user_id, team_id), **columns)
