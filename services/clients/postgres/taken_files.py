"""The last valid policy and alert files. Typed calls of `sql/queries/taken_files.sql`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL


@dataclass(frozen=True)
class TakenFile:
    """A stored file. `people`: `{"operators": Slack ids, "approvers": …}` with which the policy was read.

    Empty for alerts.
    """

    content: bytes
    people: Mapping[str, Sequence[str]]


async def lock_taken_files(conn: Connection) -> None:
    await conn.execute(SQL["lock_taken_files"])


async def read_taken_file(conn: Connection, *, name: str) -> TakenFile | None:
    """The stored file; None if none was stored yet. `name`: "policy" or "alerts"."""
    row = await (await conn.execute(SQL["read_taken_file"], {"name": name})).fetchone()
    return None if row is None else TakenFile(bytes(row[0]), row[1])


async def store_taken_file(conn: Connection, *, name: str, taken: TakenFile) -> None:
    people = {key: list(ids) for key, ids in taken.people.items()}
    await conn.execute(SQL["store_taken_file"], {"name": name, "content": taken.content, "people": Jsonb(people)})
