"""Questions in words, and what they cost. The typed calls of `sql/queries/asks.sql`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_row
from services.domain.model_prices import AskSpending
from services.domain.people import Person


async def begin_ask(conn: Connection, *, person: Person | None) -> int:
    """The number of the question. `person`: None on a terminal."""
    parameters = {"user_id": person.user_id if person else None, "team_id": person.team_id if person else None}
    row = await (await conn.execute(SQL["begin_ask"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives one row
    return int(row[0])


async def lock_ask_budget(conn: Connection) -> None:
    """Until the transaction ends, no other question reserves anything."""
    await conn.execute(SQL["lock_ask_budget"])


async def read_ask_spending(conn: Connection, *, ask_id: int, user_id: str | None) -> AskSpending:
    """What is spent or set aside since midnight, UTC."""
    return await fetch_row(conn, AskSpending, "read_ask_spending", ask_id=ask_id, user_id=user_id)


async def reserve_for_ask(conn: Connection, *, ask_id: int, usd: Decimal, tokens: int, model: str) -> None:
    """Set aside what one call to this model may cost."""
    await conn.execute(SQL["reserve_for_ask"], {"ask_id": ask_id, "usd": usd, "tokens": tokens, "model": model})


async def settle_ask(
    conn: Connection, *, ask_id: int, reserved_usd: Decimal, reserved_tokens: int, cost_usd: Decimal, tokens: int
) -> None:
    """Replace what was set aside for one call by what it cost."""
    parameters = {
        "ask_id": ask_id,
        "reserved_usd": reserved_usd,
        "reserved_tokens": reserved_tokens,
        "cost_usd": cost_usd,
        "tokens": tokens,
    }
    await conn.execute(SQL["settle_ask"], parameters)


async def end_ask(conn: Connection, *, ask_id: int, outcome: str, proved: int, dropped: int) -> None:
    """It is answered. `outcome`: one word ("rules", "checked", "too_late")."""
    parameters = {"ask_id": ask_id, "outcome": outcome, "proved": proved, "dropped": dropped}
    await conn.execute(SQL["end_ask"], parameters)


async def stop_ask(conn: Connection, *, ask_id: int, user_id: str) -> bool:
    """Whether it will be stopped: it is this person's, and not answered yet."""
    return await (await conn.execute(SQL["stop_ask"], {"ask_id": ask_id, "user_id": user_id})).fetchone() is not None


async def is_ask_stopped(conn: Connection, *, ask_id: int) -> bool:
    """Whether its person pressed Stop."""
    row = await (await conn.execute(SQL["is_ask_stopped"], {"ask_id": ask_id})).fetchone()
    return row is not None and bool(row[0])


async def rate_ask(conn: Connection, *, ask_id: int, rating: int, user_id: str) -> bool:
    """Whether there is such a question. `rating`: 1 or -1."""
    parameters = {"ask_id": ask_id, "rating": rating, "user_id": user_id}
    return await (await conn.execute(SQL["rate_ask"], parameters)).fetchone() is not None


async def prune_asks(conn: Connection, *, older_than: timedelta) -> int:
    """How many were deleted."""
    return (await conn.execute(SQL["prune_asks"], {"older_than": older_than})).rowcount
