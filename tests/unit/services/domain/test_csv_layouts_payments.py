from __future__ import annotations

from services.domain.intake import LAYOUT, Header, HeaderFault, PaymentColumn

USUAL = ["Case Number", "County", "Payment Amount", "Payment Date", "Reference"]


def test_reads_the_usual_header() -> None:
    assert LAYOUT.read(USUAL) == Header(positions=(0, 1, 2, 3, 4), width=5)


def test_reads_other_names_in_any_order() -> None:
    header = LAYOUT.read(["Receipt No.", "Date Paid", "AMOUNT", "notes", "row #", "venue", "Index Number"])

    assert header == Header(positions=(6, 5, 2, 1, 0), width=7)


def test_a_payment_needs_a_reference() -> None:
    assert LAYOUT.read(USUAL[:4]) == HeaderFault(missing=(PaymentColumn.REFERENCE,), doubled=())


def test_no_alias_means_two_columns() -> None:
    names = [name for aliases in LAYOUT.required.values() for name in aliases]

    assert len(names) == len(set(names))
