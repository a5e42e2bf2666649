"""The audit log: what was done by whom, in a chain of hashes that shows when a row was changed or taken away."""

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
    """`hash` is SHA-256, in hex, over the hash of the row before (nothing before the first) and `content`."""

    seq: int
    hash: str
    content: str

    def follows(self, before: AuditHead) -> bool:
        """Whether nothing was changed or taken out between them."""
        expected = hashlib.sha256((before.hash + self.content).encode()).hexdigest()
        return (self.seq, self.hash) == (before.seq + 1, expected)


@dataclass(frozen=True)
class AuditHead:
    """The newest row's number and hash; 0 and empty before the first."""

    seq: int
    hash: str


@dataclass(frozen=True)
class AuditReport:
    """What checking the whole chain found.

    rows: how many were there. head: the newest row's hash, None when there is no row. first_bad_seq and what: the first
    row that is changed, missing or cut off, and which of these in one plain sentence; None when `ok`, the former also
    when only a remembered hash is nowhere to be found.
    """

    ok: bool
    rows: int
    head: str | None
    first_bad_seq: int | None = None
    what: str | None = None


@dataclass(frozen=True)
class AuditChain:
    """What one pass over the chain saw; None where there is nothing of the kind.

    first_after_gap: the first row whose number does not follow the one before (`last_before_gap`). first_changed: the
    first row whose hash does not fit its contents and the hash before. last_*: the newest row. head_*: what the newest
    row was, as remembered apart from the rows. is_remembered_there: whether a row has the hash that was asked for.
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
    """The first thing wrong with it. `remembered`: a hash or its beginning, as a closing message shows it."""
    faults = _faults(chain)
    if faults:
        seq, what = min(faults, key=lambda fault: fault[0])
        return AuditReport(False, chain.rows, chain.last_hash, seq, what)
    if remembered and not chain.is_remembered_there:
        what = f"no row has the remembered hash {remembered}: the log was cut off or rewritten"
        return AuditReport(False, chain.rows, chain.last_hash, None, what)
    return AuditReport(True, chain.rows, chain.last_hash)


def _faults(chain: AuditChain) -> list[tuple[int, str]]:
    """(row, what is wrong with it)."""
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
