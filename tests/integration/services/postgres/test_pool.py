"""Sessions of the pool, on a real server."""

from __future__ import annotations

from services.domain.secrets import Secret
from services.postgres.pool import Database
from tests.conftest import DatabaseUrls


async def test_reads_as_the_role_of_the_dsn(database_urls: DatabaseUrls) -> None:
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test")

    async with database.read() as conn:
        row = await (await conn.execute("SELECT current_user, count(*) FROM ops.job_queue")).fetchone()

    await database.close()
    assert row == ("dragonfly_bot", 0)
