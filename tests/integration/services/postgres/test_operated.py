"""The operated reads, as the bot's own role on a fresh database."""

from __future__ import annotations

from services.domain.secrets import Secret
from services.postgres.operated import explain_operated_queries
from services.postgres.pool import Database
from tests.conftest import DatabaseUrls


async def test_every_operated_query_can_be_planned_by_the_bot(database_urls: DatabaseUrls) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test")
    async with database.read() as conn:
        explained = await explain_operated_queries(conn)
    await database.close()

    assert set(explained.values()) == {None}, explained
