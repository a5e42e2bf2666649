"""Reckons a page of judgments and stores what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from uuid import UUID

from services.domain.interest import Debt, Payment
from services.enforcement_worker.case import Case
from services.enforcement_worker.page import assess_page
from services.postgres.enforcement import (
    FiledJudgment,
    copy_assessments,
    create_assessment_staging,
    upsert_assessments,
    upsert_next_steps,
)
from services.postgres.memos import want_memos
from services.postgres.pool import Connection

_DEBT = {None: None, True: Debt.CONSUMER, False: Debt.ORDINARY}


async def store_figures(
    conn: Connection, page: Sequence[FiledJudgment], *, as_of: date, known: AbstractSet[UUID] = frozenset()
) -> frozenset[UUID]:
    """Assess these judgments; the ids of the memos that they want, beyond those that are `known` to be wanted."""
    cases = [(judgment.id, _case(judgment)) for judgment in page]
    found = await asyncio.to_thread(assess_page, cases, as_of=as_of)
    new = {memo_id: facts for memo_id, facts in found.wanted.items() if memo_id not in known}
    await want_memos(conn, facts=new)
    await create_assessment_staging(conn)
    await copy_assessments(conn, lines=found.lines)
    await upsert_assessments(conn)
    await upsert_next_steps(conn)
    return frozenset(new)


def _case(judgment: FiledJudgment) -> Case:
    return Case(
        amount=judgment.amount,
        county=judgment.county,
        entered_on=judgment.filing_date,
        taken_in_on=judgment.taken_in_on,
        debt=_DEBT[judgment.is_consumer_debt],
        payments=tuple(map(Payment, judgment.paid_on, judgment.paid_amounts)),
    )
