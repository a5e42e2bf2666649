"""The rows of the dump, each of which the current code still understands."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from services.clients.postgres.migrations import read_files
from tests.conftest import DatabaseUrls
from tests.integration.stored.conftest import ROWS
from tests.stored.house import STEP_KINDS, hash_of_plan
from tests.stored.rows import read_header

STATES = {"runs": "run_state", "run_steps": "step_state", "alerts": "alert_state", "incidents": "incident_state"}
MISSING = "SELECT unnest(enum_range(NULL::chatops.{}))::text EXCEPT SELECT state::text FROM chatops.{}"
KINDS_OF_THEN = "SELECT DISTINCT step->>'kind' FROM chatops.run_steps"


async def fetch(urls: DatabaseUrls, query: Any) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(urls.owner) as conn:
        return await (await conn.execute(query)).fetchall()


def test_no_migration_of_the_former_release_was_changed() -> None:
    files = {file.version: file.checksum for file in read_files()}

    assert {version: files.get(version) for version, _ in read_header(ROWS)["applied"]} == dict(
        read_header(ROWS)["applied"]
    )


@pytest.mark.parametrize(("table", "state"), STATES.items())
async def test_dump_has_rows_in_every_state(stored_urls: DatabaseUrls, table: str, state: str) -> None:
    missing = {name for (name,) in await fetch(stored_urls, MISSING.format(state, table))}

    assert missing <= {"not_proved"}  # final like "done": nothing continues from it


async def test_every_step_kind_of_the_former_release_is_known(stored_urls: DatabaseUrls) -> None:
    kinds = {kind for (kind,) in await fetch(stored_urls, KINDS_OF_THEN)}

    assert kinds <= STEP_KINDS


async def test_plans_of_the_former_release_have_the_hash_that_people_approved(stored_urls: DatabaseUrls) -> None:
    runs = await fetch(stored_urls, "SELECT id, plan, plan_hash FROM chatops.runs ORDER BY id")

    assert {id_: hash_of_plan(plan) for id_, plan, _ in runs} == {id_: stored for id_, _, stored in runs}
