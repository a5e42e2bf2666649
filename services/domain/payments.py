"""The CSV of payments: its columns, and the other names people give them."""

from __future__ import annotations

from services.domain.headers import CASE_NUMBER_NAMES, Heading, Layout

SOURCE_SYSTEM = "payments"  # what an upload names itself, to be read as one


class PaymentColumn(Heading):
    """A column that every file of payments must have. The reference, a receipt's number say, makes it one payment."""

    CASE_NUMBER = "case_number"
    COUNTY = "county"
    AMOUNT = "payment_amount"
    RECEIVED_ON = "payment_date"
    REFERENCE = "reference"


LAYOUT = Layout(
    {
        PaymentColumn.CASE_NUMBER: CASE_NUMBER_NAMES,
        PaymentColumn.COUNTY: ("county name", "court county", "venue"),
        PaymentColumn.AMOUNT: ("amount", "amount paid", "amount received", "payment", "paid"),
        PaymentColumn.RECEIVED_ON: ("date paid", "paid on", "date received", "received on", "received", "date"),
        PaymentColumn.REFERENCE: (
            *("reference number", "reference no", "ref", "receipt", "receipt number", "receipt no", "payment id"),
            *("transaction id", "check number", "check no"),
        ),
    }
)
