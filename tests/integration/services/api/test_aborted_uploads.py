"""An aborted upload leaves nothing: no row, no file on disk, and no error in the log."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from services.domain.intake import Column
from tests.conftest import DatabaseUrls
from tests.integration.services.api.test_process import Api, start_api
from tests.integration.services.conftest import Eventually, Spawn

KEY = "df_1"
HEADER = ",".join(column.heading for column in Column).encode() + b"\n"
CONTENT = HEADER + b"".join(b"A-%d,P,D,100,1/2/2024,Kings\n" % n for n in range(200_000))  # too much for memory
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
LEFT = """
SELECT (SELECT count(*) FROM intake.simplicity_batches), (SELECT count(*) FROM intake.simplicity_files),
       (SELECT count(*) FROM ops.job_queue)
"""


@asynccontextmanager
async def half_sent(api: Api) -> AsyncIterator[socket.socket]:
    """A connection on which more than half of the form has been sent."""
    body_bytes = len(PART) + len(CONTENT) + len(b"\r\n--b--\r\n")
    head = (
        "POST /api/v1/intake/upload HTTP/1.1\r\nHost: api\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"X-DRAGONFLY-API-KEY: {KEY}\r\nContent-Length: {body_bytes}\r\n\r\n"
    )
    with socket.socket() as sender:
        sender.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sender, ("127.0.0.1", int(api.base.rpartition(":")[2])))
        await loop.sock_sendall(sender, head.encode() + PART + CONTENT[: len(CONTENT) // 2])
        yield sender


async def holds_a_file(api: Api) -> bool:
    """True if the process has a deleted file open, as temporary files are."""
    for link in Path(f"/proc/{api.process.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if str(link.readlink()).endswith("(deleted)"):
                return True
    return False


async def holds_none(api: Api) -> bool:
    return not await holds_a_file(api)


@pytest.fixture
async def api(spawn: Spawn, eventually: Eventually, database_urls: DatabaseUrls, tmp_path: Path) -> Api:
    return await start_api(spawn, eventually, database_urls.app, DRAGONFLY_API_KEY=KEY, TMPDIR=str(tmp_path))


async def test_a_sender_that_goes_away_leaves_nothing(
    api: Api, eventually: Eventually, as_owner: psycopg.AsyncConnection, tmp_path: Path
) -> None:
    async with half_sent(api):
        await eventually(lambda: holds_a_file(api))
    await eventually(lambda: holds_none(api))

    assert await (await as_owner.execute(LEFT)).fetchone() == (0, 0, 0)
    assert list(tmp_path.iterdir()) == []
    assert await sent_whole(api) == 202
    assert "Traceback" not in "\n".join(api.process.lines)


async def test_an_api_that_is_killed_leaves_nothing(
    api: Api, eventually: Eventually, as_owner: psycopg.AsyncConnection, tmp_path: Path
) -> None:
    async with half_sent(api):
        await eventually(lambda: holds_a_file(api))
        await api.process.kill()

    assert await (await as_owner.execute(LEFT)).fetchone() == (0, 0, 0)
    assert list(tmp_path.iterdir()) == []


async def sent_whole(api: Api) -> int:
    async with httpx.AsyncClient(base_url=api.base, timeout=60, trust_env=False) as client:
        answer = await client.post(
            "/api/v1/intake/upload", headers={"X-DRAGONFLY-API-KEY": KEY}, files={"file": ("a.csv", CONTENT)}
        )
    return answer.status_code
