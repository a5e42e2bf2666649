"""What fields are called whose values are personal data, and what those are called whose values are a program's own."""

from __future__ import annotations

_DATA = """
account acct address amount attorney balance birth birthday birthdate card city claimant creditor debtor defendant dob
docket email employer firstname fullname garnishee iban judgment lastname mail maiden middlename mobile owed party payee
payer petitioner phone plaintiff principal respondent routing spouse ssn street surname tel telephone zip zipcode
"""
DATA_NAMES = frozenset(_DATA.split())

_PROGRAM = """
app application channel class column command container database db deployment event file function handler host hostname
instance job logger metric model module pod process queue relation role schema server service source step table task
thread type worker
"""
PROGRAM_NAMES = frozenset(_PROGRAM.split())
