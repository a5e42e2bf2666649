"""Files as spreadsheets and offices produce them, from the upload to the stored rows. All made up."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import UploadFile

from services.api.uploads import Stored, store_file
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.worker import ClaimedJob
from services.ingest_worker.handler import ingest_batch
from services.ingest_worker.rows import ROWS
from tests.integration.services.ingest_worker.conftest import HEADER

CASES = Path(__file__).parent / "cases"
JUDGMENTS = "SELECT case_number, county, defendant, judgment_amount::text FROM public.judgments ORDER BY 1, 2"
PAYMENTS = "SELECT reference, amount::text FROM enforcement.payments ORDER BY 1"
FAILED = "SELECT row_number, error FROM intake.simplicity_raw_rows WHERE status = 'failed' ORDER BY row_number"
CONFLICT = "conflicts with another row of this case, which was kept"
PLACEHOLDER = "missing, the cell holds a placeholder"


async def take_in(
    database: Database, content: bytes, *, source_system: str = "simplicity"
) -> tuple[Stored, dict[str, object]]:
    stored = await store_file(database, UploadFile(io.BytesIO(content)), source_system=source_system, force=True)
    job = ClaimedJob("j", "simplicity_ingest", {"batch_id": stored.batch_id}, 1, 5, 1)
    return stored, dict(await ingest_batch(job, database))


async def take_in_case(database: Database, name: str) -> tuple[int, int]:
    """Take the file in; return the number of rows that passed, and of rows that failed."""
    _, result = await take_in(database, (CASES / f"{name}.csv").read_bytes())
    return int(str(result["validated"])), int(str(result["failed"]))


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


@pytest.mark.parametrize(("name", "damage"), [("sci_case", "scientific notation"), ("date_case", "became a date")])
async def test_a_damaged_case_number_fails_each_row(
    name: str, damage: str, database: Database, as_owner: Connection
) -> None:
    assert await take_in_case(database, name) == (0, 3)

    assert await rows(as_owner, JUDGMENTS) == []
    for _, error in await rows(as_owner, FAILED):
        assert error.startswith("Case Number: a spreadsheet damaged the case number (it ")
        assert damage in error


async def test_placeholders_are_missing_values(database: Database, as_owner: Connection) -> None:
    assert await take_in_case(database, "placeholders") == (0, 8)

    failed = dict(await rows(as_owner, FAILED))
    assert {failed[number] for number in range(1, 8)} == {f"Case Number: {PLACEHOLDER}"}
    assert failed[8] == f"Plaintiff: {PLACEHOLDER}; Defendant: {PLACEHOLDER}; County: {PLACEHOLDER}"


@pytest.mark.parametrize(
    ("name", "validated", "stored"),
    [
        ("zero_width", 6, [("2024-CV-90001", "Kings", "Jo Roe", "1200.00")]),
        ("apostrophe_case", 2, [("00123402", "Kings", "Jo Roe", "1200.00")]),
        (
            "county_variants",
            9,
            [
                ("2024-CV-92000", "Kings", "Jo Roe", "1200.00"),
                ("2024-CV-92001", "DeKalb", "Jo Roe", "1200.00"),
                ("2024-CV-92002", "St. Lawrence", "Jo Roe", "1200.00"),
            ],
        ),
        ("sep_line", 1, [("2024-CV-94000", "Kings", "Jo Roe", "1200.00")]),
        ("preamble", 1, [("2024-CV-94002", "Kings", "Jo Roe", "1200.00")]),
        ("index_hash", 1, [("95002/2024", "Kings", "Jo Roe", "1200.00")]),
    ],
)
async def test_spellings_of_one_case_are_stored_as_one_judgment(
    name: str, validated: int, stored: list[tuple[str, ...]], database: Database, as_owner: Connection
) -> None:
    assert await take_in_case(database, name) == (validated, 0)

    assert await rows(as_owner, JUDGMENTS) == stored


@pytest.mark.parametrize(
    ("name", "kept", "column"),
    [
        ("formula_case", ("00123401", "Kings", "Jo Roe", "100.00"), "Judgment Amount"),
        ("codefendants", ("2024-CV-93000", "Kings", "Ann First", "1200.00"), "Defendant"),
    ],
)
async def test_rows_that_disagree_about_a_case_are_reported(
    name: str, kept: tuple[str, ...], column: str, database: Database, as_owner: Connection
) -> None:
    assert await take_in_case(database, name) == (1, 1)

    assert await rows(as_owner, JUDGMENTS) == [kept]
    assert await rows(as_owner, FAILED) == [(2, f"{column}: {CONFLICT}")]


@pytest.mark.parametrize("name", ["bad_byte_in_utf8", "bom_bad_byte"])
async def test_one_bad_byte_harms_no_other_cell(name: str, database: Database, as_owner: Connection) -> None:
    stored, result = await take_in(database, (CASES / f"{name}.csv").read_bytes())

    assert (result["validated"], result["failed"]) == (3, 0)
    parties = await rows(as_owner, "SELECT plaintiff, defendant FROM public.judgments ORDER BY case_number")
    assert parties == [("Acme LLC", "José Núñez"), ("Acme LLC", "Zoë Ångström"), ("Café LLC", "Jo Roe")]
    assert stored.notes == ("1 character read as Windows-1252 in a UTF-8 file, first at line 4",)


async def test_the_exact_name_of_a_column_wins(database: Database, as_owner: Connection) -> None:
    assert await take_in_case(database, "both_dates") == (1, 0)

    assert await rows(as_owner, "SELECT filing_date::text FROM public.judgments") == [("2024-01-02",)]


async def test_intake_log_has_the_notes_about_a_file(database: Database, as_owner: Connection) -> None:
    stored, _ = await take_in(database, (CASES / "preamble.csv").read_bytes())

    assert stored.notes == ("2 lines before the header skipped",)
    [(details,)] = await rows(as_owner, "SELECT details FROM ops.intake_logs WHERE event_type = 'batch_received'")
    assert details["notes"] == ["2 lines before the header skipped"]


async def test_a_receipt_is_credited_once(database: Database, as_owner: Connection) -> None:
    await take_in(database, f"{HEADER}\n2024-CV-94100,Acme LLC,Jo Roe,1200,1/2/2024,Kings\n".encode())

    content = (CASES / "pay_reference_invisible.csv").read_bytes()
    _, result = await take_in(database, content, source_system="payments")

    assert (result["validated"], result["failed"]) == (5, 1)
    assert await rows(as_owner, PAYMENTS) == [("001002", "50.00"), ("R-1001", "50.00")]
    reported = "Reference: known for this case but for zeros in front, which spreadsheets drop"
    assert await rows(as_owner, FAILED) == [(6, reported)]


async def test_a_receipt_stored_by_an_earlier_version_is_known_in_any_letters(
    database: Database, as_owner: Connection
) -> None:
    await take_in(database, f"{HEADER}\nC-1,Acme LLC,Jo Roe,1200,1/2/2024,Kings\n".encode())
    await as_owner.execute(
        "INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)"
        " SELECT id, 'r-1001', '2024-04-03', 50 FROM public.judgments"
    )

    payment = b"Case Number,County,Payment Amount,Payment Date,Reference\nC-1,Kings,50.00,4/3/2024,R-1001\n"
    _, result = await take_in(database, payment, source_system="payments")

    assert (result["validated"], result["failed"]) == (1, 0)
    assert await rows(as_owner, PAYMENTS) == [("r-1001", "50.00")]


async def test_rows_that_disagree_are_reported_however_far_apart_they_are(
    database: Database, as_owner: Connection
) -> None:
    case = "C-1,Acme LLC,Jo Roe,{},1/2/2024,Kings"
    between = [f"B-{number},Acme LLC,Jo Roe,5,1/2/2024,Kings" for number in range(ROWS)]
    lines = [case.format(100), *between, case.format("100.00"), "C-2,Acme LLC,Jo Roe,5,1/2/2024,Kings"]
    further = [*between, case.format(200), case.format(200).upper(), case.format(100).replace("Jo Roe", "JO ROE")]

    _, result = await take_in(database, "\n".join([HEADER, *lines, *further]).encode())

    last = len(lines) + len(further)
    reported = f"Judgment Amount: {CONFLICT}"
    assert await rows(as_owner, FAILED) == [(last - 2, reported), (last - 1, reported)]
    assert (result["validated"], result["failed"]) == (last - 2, 2)
    amount = "SELECT judgment_amount::text FROM public.judgments WHERE case_number = 'C-1'"
    assert await rows(as_owner, amount) == [("100.00",)]


async def test_a_row_that_does_not_report_what_debt_it_is_takes_nothing_back(
    database: Database, as_owner: Connection
) -> None:
    line = "{},Acme LLC,Jo Roe,100,1/2/2024,Kings,{}"
    lines = [
        line.format(*case) for case in (("1", "yes"), ("1", ""), ("2", ""), ("2", "no"), ("3", "yes"), ("3", "no"))
    ]

    _, result = await take_in(database, "\n".join([f"{HEADER},Consumer Debt", *lines]).encode())

    debts = "SELECT case_number, is_consumer_debt FROM public.judgments ORDER BY 1"
    assert await rows(as_owner, debts) == [("1", True), ("2", False), ("3", True)]
    assert await rows(as_owner, FAILED) == [(6, f"Consumer Debt: {CONFLICT}")]
    assert (result["validated"], result["failed"]) == (5, 1)


async def test_a_later_file_replaces_and_reports_how_many_cases_changed(
    database: Database, as_owner: Connection
) -> None:
    line = "{},Acme LLC,Jo Roe,{},1/2/2024,Kings"
    await take_in(database, "\n".join([HEADER, line.format("C-1", 100), line.format("C-2", 100)]).encode())

    later = [line.format("C-1", 100), line.format("C-2", 250), line.format("C-3", 5)]
    _, result = await take_in(database, "\n".join([HEADER, *later]).encode())

    assert (result["validated"], result["failed"], result["replaced"]) == (3, 0, 1)
    assert [row[3] for row in await rows(as_owner, JUDGMENTS)] == ["100.00", "250.00", "5.00"]
    [(reported,)] = await rows(
        as_owner,
        "SELECT details->>'replaced' FROM ops.intake_logs WHERE event_type = 'batch_completed' ORDER BY created_at DESC"
        " LIMIT 1",
    )
    assert reported == "1"
