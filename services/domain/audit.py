"""The audit log: what was done by whom, in a chain of hashes that shows when a row was changed or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class AuditRow:
    """One event. `seq` counts from 1 without gaps; `hash` is SHA-256 over the previous row's hash and this row."""

    seq: int
    at: datetime
    actor: str
    event: str
    run_id: int | None
    details: Mapping[str, Any]
    hash: str


@dataclass(frozen=True)
class AuditReport:
    """What checking the whole chain found.

    rows: how many were there. head: the newest row's hash, None when there is no row. first_bad_seq and what: the first
    row that is changed, missing or cut off, and which of these in one plain sentence; None when `ok`.
    """

    ok: bool
    rows: int
    head: str | None
    first_bad_seq: int | None = None
    what: str | None = None
