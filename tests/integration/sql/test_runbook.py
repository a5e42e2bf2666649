"""Every SQL statement of the runbook runs unchanged on our schema, and returns the columns that it names."""

from __future__ import annotations

import psycopg

from services.clients.postgres.pool import Connection
from tests.runbook import needs_runbook, statements

STATEMENTS = statements()
# Only the owner may run these: details, rows and results contain personal data.
PERSONAL = ("source_system, details", "simplicity_raw_rows", "result, updated_at", "SELECT * FROM ops.job_queue")

pytestmark = needs_runbook


async def failures(conn: Connection, unchanged: list[str]) -> dict[str, str]:
    """Return `{statement: reason}` for those that fail or return no columns."""
    found = {}
    for statement in unchanged:
        try:
            cursor = await conn.execute(statement)
        except psycopg.Error as error:
            found[statement] = str(error)
        else:
            if not cursor.description:
                found[statement] = "no columns"
    return found


def test_the_runbook_is_read_whole() -> None:
    assert len(STATEMENTS) == 19


async def test_every_statement_runs_as_the_owner(as_owner: Connection) -> None:
    assert await failures(as_owner, STATEMENTS) == {}


async def test_every_statement_without_personal_data_runs_as_the_bot(as_bot: Connection) -> None:
    harmless = [text for text in STATEMENTS if not any(part in text for part in PERSONAL)]

    assert await failures(as_bot, harmless) == {}


async def test_every_statement_on_the_operated_tables_runs_as_the_app(as_app: Connection) -> None:
    operated = [text for text in STATEMENTS if "schema_migrations" not in text]

    assert await failures(as_app, operated) == {}


async def test_no_dangerous_grants_exist(as_owner: Connection) -> None:
    check = next(text for text in STATEMENTS if "information_schema.table_privileges" in text)

    assert await (await as_owner.execute(check)).fetchall() == []
