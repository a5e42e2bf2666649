"""Uploads of any bytes are stored whole or refused with a reason, and nothing breaks."""

from __future__ import annotations

import random
from pathlib import Path

from services.clients.postgres.pool import Connection
from services.domain.intake import Column
from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi

DEMO = Path("services/sandbox/data/demo_batch.csv").read_bytes()
HEADER = ",".join(column.heading for column in Column).encode() + b"\n"
NASTY = (
    b"\0",
    b'"',
    b"\r",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x81",
    b"\xe9",
    b"\\N",
    b"\\.",
    b"\t",
    b";",
    b",,,,,,,",
)
ROUNDS = 150


def mutated(chance: random.Random) -> bytes:
    """A good file with random damage, or noise below a good header."""
    if chance.random() < 0.2:
        return HEADER + chance.randbytes(chance.randrange(400))
    content = bytearray(DEMO)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(content))
        accident = chance.choice(("insert", "cut", "overwrite", "double"))
        if accident == "insert":
            content[place:place] = chance.choice(NASTY)
        elif accident == "cut":
            del content[place : place + chance.randrange(1, 200)]
        elif accident == "overwrite":
            content[place : place + 1] = chance.randbytes(1)
        else:
            content[place:place] = content[: chance.randrange(1, 500)]
        content = content or bytearray(b"x")
    return bytes(content)


async def test_any_bytes_are_stored_whole_or_refused(
    open_api: OpenApi, database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    chance = random.Random(20251220)  # noqa: S311 - the same files in each run
    stored = {}

    async with open_api(database_urls.app) as api:
        for _ in range(ROUNDS):
            content = mutated(chance)
            answer = await api.post(
                "/api/v1/intake/upload",
                headers={"X-DRAGONFLY-API-KEY": "df_new"},
                files={"file": ("rows.csv", content)},
            )
            assert answer.status_code in (202, 409, 422), content
            if answer.status_code == 202:
                stored[answer.json()["batch_id"]] = content
            else:
                assert set(answer.json()["error"]) == {"what", "why", "what_next"}

    query = (
        "SELECT batch_id::text, string_agg(content, '' ORDER BY block_number) FROM intake.simplicity_files GROUP BY 1"
    )
    assert dict(await (await as_owner.execute(query)).fetchall()) == stored
    assert 20 < len(stored) < ROUNDS - 20  # neither all nor none, otherwise the damage proves little
