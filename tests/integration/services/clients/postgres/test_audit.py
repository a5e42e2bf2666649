"""The audit log: append-only for every role, and a bypass leaves a trace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product

import pytest
from psycopg import errors

from services.clients.postgres.audit import append_audit, list_audit, verify_audit
from services.clients.postgres.pool import Connection, Database
from services.domain.audit import AuditReport

FileRun = Callable[..., Awaitable[int]]

ROWS = 5


@pytest.fixture
async def hashes(as_bot: Connection) -> list[str]:
    """The hashes of five rows."""
    return [
        await append_audit(as_bot, actor=f"U{number}", event="run.approved", run_id=None, details={"n": number})
        for number in range(ROWS)
    ]


@pytest.fixture
async def tamperer(as_owner: Connection) -> Connection:
    """A superuser who has disabled the triggers."""
    for table in ("audit", "audit_head"):
        await as_owner.execute(f"ALTER TABLE chatops.{table} DISABLE TRIGGER USER")
    return as_owner


async def test_rows_are_read_newest_first(as_bot: Connection, hashes: list[str]) -> None:
    rows = await list_audit(as_bot, limit=2)

    assert [(row.seq, row.actor, row.event, row.details, row.hash) for row in rows] == [
        (5, "U4", "run.approved", {"n": 4}, hashes[4]),
        (4, "U3", "run.approved", {"n": 3}, hashes[3]),
    ]


async def test_rows_of_one_run(as_bot: Connection, hashes: list[str], file_run: FileRun) -> None:
    run_id = await file_run(as_bot)
    added = await append_audit(as_bot, actor="bot", event="run.started", run_id=run_id, details={})

    assert [row.hash for row in await list_audit(as_bot, limit=9, run_id=run_id)] == [added]
    assert added not in hashes


async def test_an_untouched_log_is_whole(as_bot: Connection, hashes: list[str]) -> None:
    assert await verify_audit(as_bot) == AuditReport(True, ROWS, hashes[-1])


async def test_an_empty_log_is_whole(as_bot: Connection) -> None:
    assert await verify_audit(as_bot) == AuditReport(True, 0, None)


@pytest.mark.usefixtures("hashes")
async def test_the_chain_is_the_same_in_every_time_zone(as_bot: Connection) -> None:
    await as_bot.execute("SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'; SET extra_float_digits = 0")

    assert (await verify_audit(as_bot)).ok


async def test_unusual_details_verify(as_bot: Connection) -> None:
    details = {"z": 1.50, "a": ["é", "\\", '"', None, True], "": {"nested": -0.0, "big": 10**30}, "n": "\n\u2028"}

    await append_audit(as_bot, actor="U1", event="e", run_id=None, details=details)

    assert (await verify_audit(as_bot)).ok


CHANGES = (
    "UPDATE chatops.audit SET actor = 'U9' WHERE seq = %s",
    "UPDATE chatops.audit SET event = 'run.denied' WHERE seq = %s",
    "UPDATE chatops.audit SET details = '{}' WHERE seq = %s",
    "UPDATE chatops.audit SET at = at + interval '1 microsecond' WHERE seq = %s",
    "UPDATE chatops.audit SET hash = repeat('0', 64) WHERE seq = %s",
)


@pytest.mark.usefixtures("hashes")
async def test_a_changed_row_is_found(tamperer: Connection) -> None:
    for seq, change in product((1, 3, ROWS), CHANGES):
        async with tamperer.transaction(force_rollback=True):
            await tamperer.execute(change, (seq,))

            report = await verify_audit(tamperer)

        assert (report.ok, report.rows, report.first_bad_seq) == (False, ROWS, seq)
        assert report.what == f"row {seq} was changed, or the hash before it"


async def test_a_changed_row_with_a_fitting_hash_shows_in_the_next(
    as_bot: Connection, hashes: list[str], tamperer: Connection
) -> None:
    await tamperer.execute(
        """UPDATE chatops.audit
           SET actor = 'U9', hash = chatops.hash_audit_row(%s, seq, at, 'U9', event, run_id, details)
           WHERE seq = 3""",
        (hashes[1],),
    )

    report = await verify_audit(as_bot)

    assert (report.ok, report.first_bad_seq) == (False, 4)
    assert report.what == "row 4 was changed, or the hash before it"


@pytest.mark.parametrize(("gone", "first"), [([1], 1), ([3], 3), ([2, 4], 2)])
async def test_a_missing_row_is_found(
    as_bot: Connection, hashes: list[str], tamperer: Connection, gone: list[int], first: int
) -> None:
    await tamperer.execute("DELETE FROM chatops.audit WHERE seq = ANY (%s)", (gone,))

    report = await verify_audit(as_bot)

    assert (report.ok, report.first_bad_seq, report.what) == (False, first, f"row {first} is missing")
    assert report.head == hashes[-1]


@pytest.mark.parametrize("kept", [4, 1, 0])
async def test_a_cut_off_end_is_found(as_bot: Connection, hashes: list[str], tamperer: Connection, kept: int) -> None:
    await tamperer.execute("DELETE FROM chatops.audit WHERE seq > %s", (kept,))

    report = await verify_audit(as_bot)

    assert (report.ok, report.rows, report.first_bad_seq) == (False, kept, kept + 1)
    assert report.what == f"the log was cut off after row {kept}: it had {ROWS} rows"
    assert report.head == (hashes[kept - 1] if kept else None)


async def test_a_cut_off_end_whose_head_was_turned_back_too_does_not_have_the_hash_of_a_closing_message(
    as_bot: Connection, hashes: list[str], tamperer: Connection
) -> None:
    await tamperer.execute("DELETE FROM chatops.audit WHERE seq > 3")
    await tamperer.execute("UPDATE chatops.audit_head SET seq = 3, hash = %s", (hashes[2],))

    assert (await verify_audit(as_bot)).ok  # nothing inside the database can detect it
    assert (await verify_audit(as_bot, remembered=hashes[2][:12])).ok
    report = await verify_audit(as_bot, remembered=hashes[4][:12])
    assert (report.ok, report.first_bad_seq) == (False, None)
    assert f"no row has the remembered hash {hashes[4][:12]}" in (report.what or "")


async def test_rows_written_past_the_head_are_found(
    as_bot: Connection, hashes: list[str], tamperer: Connection
) -> None:
    await tamperer.execute("UPDATE chatops.audit_head SET seq = 4, hash = %s", (hashes[3],))

    report = await verify_audit(as_bot)

    assert (report.ok, report.first_bad_seq) == (False, 5)


APPEND_ONLY = (
    "UPDATE chatops.audit SET actor = 'U9'",
    "DELETE FROM chatops.audit",
    "TRUNCATE chatops.audit",
    "INSERT INTO chatops.audit (seq, at, actor, event, details, hash) "
    "VALUES (6, now(), 'U9', 'e', '{}', repeat('0', 64))",
    "UPDATE chatops.audit_head SET seq = 0",
    "DELETE FROM chatops.audit_head",
    "TRUNCATE chatops.audit_head",
    "ALTER TABLE chatops.audit DISABLE TRIGGER USER",
    "DROP TABLE chatops.audit",
)


async def test_the_bot_can_only_append(as_bot: Connection, hashes: list[str]) -> None:
    for statement in APPEND_ONLY:
        with pytest.raises(errors.InsufficientPrivilege):
            await as_bot.execute(statement)

    assert await verify_audit(as_bot) == AuditReport(True, ROWS, hashes[-1])


@pytest.mark.usefixtures("hashes")
async def test_the_owner_is_stopped_too(as_owner: Connection) -> None:
    for statement in APPEND_ONLY[:3]:
        with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
            await as_owner.execute(statement)


async def test_audit_appends_at_once_make_one_chain(database: Database) -> None:
    async def append(number: int) -> str:
        async with database.transaction() as conn:
            return await append_audit(conn, actor=f"U{number}", event="e", run_id=None, details={})

    hashes = await asyncio.gather(*[append(number) for number in range(100)])

    async with database.read() as conn:
        report = await verify_audit(conn)
    assert (report.ok, report.rows, len(set(hashes))) == (True, 100, 100)


async def test_audit_chain_has_no_gap_after_a_rolled_back_transaction(as_bot: Connection, hashes: list[str]) -> None:
    async with as_bot.transaction(force_rollback=True):
        await append_audit(as_bot, actor="U9", event="e", run_id=None, details={})

    await append_audit(as_bot, actor="U1", event="e", run_id=None, details={})

    report = await verify_audit(as_bot)
    assert (report.ok, report.rows) == (True, ROWS + 1)
    assert hashes[-1] != report.head
