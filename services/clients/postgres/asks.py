"""Questions in words, and their cost. Typed calls of `sql/queries/asks.sql`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_row
from services.domain.model_prices import AskSpending
from services.domain.people import Person


async def begin_ask(conn: Connection, *, person: Person | None) -> int:
    """Store a new question and return its number. `person`: None on a terminal."""
    parameters = {"user_id": person.user_id if person else None, "team_id": person.team_id if person else None}
    row = await (await conn.execute(SQL["begin_ask"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives one row
    return int(row[0])


async def lock_ask_budget(conn: Connection) -> None:
    """Let no other question reserve anything until the transaction ends."""
    await conn.execute(SQL["lock_ask_budget"])


async def read_ask_spending(conn: Connection, *, ask_id: int, user_id: str | None) -> AskSpending:
    """Return the US dollars and tokens spent or reserved since midnight UTC: by this question, this person, and all."""
    return await fetch_row(conn, AskSpending, "read_ask_spending", ask_id=ask_id, user_id=user_id)


async def reserve_for_ask(conn: Connection, *, ask_id: int, usd: Decimal, tokens: int, model: str) -> None:
    """Reserve the maximum cost of one call to this model."""
    await conn.execute(SQL["reserve_for_ask"], {"ask_id": ask_id, "usd": usd, "tokens": tokens, "model": model})


async def settle_ask(
    conn: Connection, *, ask_id: int, reserved_usd: Decimal, reserved_tokens: int, cost_usd: Decimal, tokens: int
) -> None:
    """Replace the reservation for one call by its actual cost."""
    parameters = {
        "ask_id": ask_id,
        "reserved_usd": reserved_usd,
        "reserved_tokens": reserved_tokens,
        "cost_usd": cost_usd,
        "tokens": tokens,
    }
    await conn.execute(SQL["settle_ask"], parameters)


async def end_ask(conn: Connection, *, ask_id: int, outcome: str, proved: int, dropped: int) -> None:
    """Store how the question ended. `outcome`: one word ("rules", "checked", "too_late")."""
    parameters = {"ask_id": ask_id, "outcome": outcome, "proved": proved, "dropped": dropped}
    await conn.execute(SQL["end_ask"], parameters)


async def stop_ask(conn: Connection, *, ask_id: int, user_id: str) -> bool:
    """Request that the question be stopped. True if it is this person's and not answered yet."""
    return await (await conn.execute(SQL["stop_ask"], {"ask_id": ask_id, "user_id": user_id})).fetchone() is not None


async def is_ask_stopped(conn: Connection, *, ask_id: int) -> bool:
    """True if the person pressed Stop."""
    row = await (await conn.execute(SQL["is_ask_stopped"], {"ask_id": ask_id})).fetchone()
    return row is not None and bool(row[0])


async def rate_ask(conn: Connection, *, ask_id: int, rating: int, user_id: str) -> bool:
    """Store a rating, 1 or -1. False if there is no such question."""
    parameters = {"ask_id": ask_id, "rating": rating, "user_id": user_id}
    return await (await conn.execute(SQL["rate_ask"], parameters)).fetchone() is not None


async def prune_asks(conn: Connection, *, older_than: timedelta) -> int:
    """Delete old questions and return how many."""
    return (await conn.execute(SQL["prune_asks"], {"older_than": older_than})).rowcount
