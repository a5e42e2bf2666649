"""`audit [verify [hash]|export]`: show the audit log, verify its hash chain, or export it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from bot.commands.arguments import no_more, wrong_word
from bot.types import Answer, Request
from bot.views.audit import audit_answer, export_answer, export_lines, verification_answer
from bot.views.findings import unavailable_answer
from services.clients.postgres.audit import export_audit, list_audit, read_audit_head, verify_audit
from services.domain.audit import AuditHead, ExportedRow
from services.domain.errors import SourceError, Unavailable

if TYPE_CHECKING:
    from bot.world import World


SHOWN = 30
EXPORTED_AT_ONCE = 1000  # rows; most have a few hundred bytes
VERIFY, EXPORT = "verify", "export"
_HASH = re.compile(r"[0-9a-f]{8,64}\Z")


async def answer_audit(request: Request, world: World) -> Answer:
    no_more(request.words, 2)
    if not request.words:
        rows = await world.read(list_audit, limit=SHOWN)
        return unavailable_answer("the audit log", rows) if isinstance(rows, Unavailable) else audit_answer(rows)
    if request.words[0].lower() == EXPORT:
        return await _export(request, world)
    if request.words[0].lower() != VERIFY:
        raise wrong_word(request.words[0], "is not expected here", "Write `audit`, `audit verify` or `audit export`.")
    report = await world.read(verify_audit, remembered=_parse_hash(request.words[1:]))
    if isinstance(report, Unavailable):
        return unavailable_answer("integrity of the audit log", report)
    return verification_answer(report)


async def _export(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    if request.write is None:
        raise wrong_word(EXPORT, "is for the terminal", "Run `dragonfly audit export > audit.jsonl` there.")
    head, last, count, is_whole = await need_audit_head(world), AuditHead(0, ""), 0, True
    async for rows in export_pages(world, head):
        request.write(export_lines(rows))
        for row in rows:
            is_whole &= row.follows(last)
            last, count = AuditHead(row.seq, row.hash), count + 1
    return export_answer(head, count, is_whole=is_whole and last == head)


async def export_pages(world: World, head: AuditHead) -> AsyncIterator[list[ExportedRow]]:
    """Yield all rows up to the head, oldest first, page by page, so that only one page is in memory.

    Raises SourceError if the database is away.
    """
    seq = 0
    while seq < head.seq:
        page = await world.read(export_audit, after=seq, limit=EXPORTED_AT_ONCE)
        if isinstance(page, Unavailable):
            raise SourceError(page.source, page.why, retryable=True)
        if not page:
            return  # rows are missing: the comparison with the stored head shows it
        yield [row for row in page if row.seq <= head.seq]
        seq = page[-1].seq


async def need_audit_head(world: World) -> AuditHead:
    """Return the newest row's number and hash, which are stored apart from the rows. Raises SourceError."""
    head = await world.read(read_audit_head)
    if isinstance(head, Unavailable):
        raise SourceError(head.source, head.why, retryable=True)
    return head


def _parse_hash(words: tuple[str, ...]) -> str:
    """Parse the prefix of a hash from a run's final message; empty if none is given. Raises UsageError."""
    if not words:
        return ""
    if not _HASH.match(words[0].lower()):
        raise wrong_word(words[0], "is not a hash", "Copy it from the last line of a closed run's message.")
    return words[0].lower()
