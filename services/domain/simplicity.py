"""The CSV of judgments that Simplicity exports: its columns, and the other names people give them."""

from __future__ import annotations

from collections.abc import Sequence

from services.domain.headers import CASE_NUMBER_NAMES, Aliases, Header, HeaderFault, Heading, Layout

SOURCE_SYSTEM = "simplicity"
JOB_TYPE = "simplicity_ingest"  # the runbook's name for the job that ingests one batch


class Column(Heading):
    """A column that every file must have."""

    CASE_NUMBER = "case_number"
    PLAINTIFF = "plaintiff"
    DEFENDANT = "defendant"
    AMOUNT = "judgment_amount"
    FILING_DATE = "filing_date"
    COUNTY = "county"


ALIASES: Aliases = {
    Column.CASE_NUMBER: CASE_NUMBER_NAMES,
    Column.PLAINTIFF: ("plaintiff name", "plaintiffs", "creditor", "creditor name", "judgment creditor"),
    Column.DEFENDANT: ("defendant name", "defendants", "debtor", "debtor name", "judgment debtor"),
    Column.AMOUNT: ("judgement amount", "amount", "judgment", "judgment amt", "judgment total", "amount awarded"),
    Column.FILING_DATE: (
        "date filed",
        "filed date",
        "file date",
        "filed",
        "judgment date",
        "entry date",
        "date entered",
    ),
    Column.COUNTY: ("county name", "court county", "venue"),
}


class OptionalColumn(Heading):
    """A column that a file may have; a file without it is one in which its cells are empty."""

    CONSUMER_DEBT = "consumer_debt"


# Not "consumer credit transaction": what is none may still be consumer debt (CPLR 105(f), 5004(b)).
OPTIONAL_ALIASES: Aliases = {
    OptionalColumn.CONSUMER_DEBT: (
        "is consumer debt",
        "consumer",
        "consumer y n",
        "consumer debt y n",
        "consumer debt yes no",
        "consumer flag",
        "consumer debt flag",
        "consumer case",
    ),
}


LAYOUT = Layout(ALIASES, OPTIONAL_ALIASES)


def read_header(cells: Sequence[str]) -> Header | HeaderFault:
    """Find the columns of a file of judgments; see `Layout.read`."""
    return LAYOUT.read(cells)
