"""The audit log: who did what, as a chain of hashes that reveals a changed or removed row."""

from __future__ import annotations

import hashlib
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
class ExportedRow:
    """A row as exported. `hash`: SHA-256, hex, of the previous row's hash (nothing before the first) and `content`."""

    seq: int
    hash: str
    content: str

    def follows(self, before: AuditHead) -> bool:
        """True if this row directly follows `before`: the next number, and a hash that fits its content."""
        expected = hashlib.sha256((before.hash + self.content).encode()).hexdigest()
        return (self.seq, self.hash) == (before.seq + 1, expected)


@dataclass(frozen=True)
class AuditHead:
    """The newest row's number and hash; 0 and empty before the first."""

    seq: int
    hash: str


@dataclass(frozen=True)
class AuditReport:
    """The result of a check of the whole chain.

    rows: how many rows exist. head: the newest row's hash, None if there is no row. first_bad_seq and what: the first
    row that is changed, missing or cut off, and which of these in one plain sentence. Both None if `ok`; first_bad_seq
    is also None if only a remembered hash can't be found.
    """

    ok: bool
    rows: int
    head: str | None
    first_bad_seq: int | None = None
    what: str | None = None


@dataclass(frozen=True)
class AuditChain:
    """The facts that one pass over the chain collects; None for whatever doesn't occur.

    first_after_gap: the first row whose number does not follow the one before (`last_before_gap`). first_changed: the
    first row whose hash does not fit its contents and the previous hash. last_*: the newest row. head_*: the newest row
    as recorded apart from the rows. is_remembered_there: True if a row has the remembered hash.
    """

    rows: int
    last_before_gap: int | None
    first_after_gap: int | None
    first_changed: int | None
    is_remembered_there: bool
    last_seq: int | None
    last_hash: str | None
    head_seq: int
    head_hash: str


def judge_chain(chain: AuditChain, *, remembered: str = "") -> AuditReport:
    """Report the first fault of the chain. `remembered`: a hash or its beginning, as a closing message shows it."""
    faults = _faults(chain)
    if faults:
        seq, what = min(faults, key=lambda fault: fault[0])
        return AuditReport(False, chain.rows, chain.last_hash, seq, what)
    if remembered and not chain.is_remembered_there:
        what = f"no row has the remembered hash {remembered}: the log was cut off or rewritten"
        return AuditReport(False, chain.rows, chain.last_hash, None, what)
    return AuditReport(True, chain.rows, chain.last_hash)


def _faults(chain: AuditChain) -> list[tuple[int, str]]:
    """`(row, its fault)` for each fault."""
    faults = []
    last = chain.last_seq or 0
    if chain.first_after_gap is not None:
        missing = (chain.last_before_gap or 0) + 1
        faults.append((missing, f"row {missing} is missing"))
    if chain.first_changed is not None:
        faults.append((chain.first_changed, f"row {chain.first_changed} was changed, or the hash before it"))
    if chain.head_seq > last:
        faults.append((last + 1, f"the log was cut off after row {last}: it had {chain.head_seq} rows"))
    elif (chain.head_seq, chain.head_hash) != (last, chain.last_hash or ""):
        faults.append((last, f"row {last} is not the one that was remembered as the newest"))
    return faults
