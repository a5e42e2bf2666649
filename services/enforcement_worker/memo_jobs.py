"""Requests memos for the cases of a batch, a few at a time, within a budget.

Memos have their own job, queued together with the figures and run after them: its failure does not affect them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.clients.openai import SOURCE, Answer, OpenAIClient, Question
from services.clients.postgres.enforcement import (
    MemoAnswer,
    WantedMemo,
    claim_memo,
    list_wanted_memos,
    read_memo_spending,
    release_memo,
    retry_memo,
    store_memo,
)
from services.clients.postgres.pool import Database
from services.clients.postgres.worker import ClaimedJob
from services.domain.errors import SourceError
from services.domain.model_prices import Prices
from services.domain.services import WorkerType
from services.enforcement_worker.memo import INSTRUCTIONS, Memo, RefusedAnswerError, read_memo
from services.job_queue.jobs import OutsideError, Result, batch_of


@dataclass
class Budget:
    """The budget for questions: reserve before one, settle after it. Without an answer the money stays reserved."""

    limit: Decimal
    reserved: Decimal = field(default=Decimal(0), init=False)

    def reserve(self, most: Decimal) -> bool:
        """Reserve the highest possible cost of a question. Returns False if the budget does not allow it."""
        if self.reserved + most > self.limit:
            return False
        self.reserved += most
        return True

    def settle(self, most: Decimal, cost: Decimal) -> None:
        """Replace the reserved amount with the actual cost."""
        self.reserved += cost - most


log = logging.getLogger(__name__)

MOST_A_JOB = 500  # profiles; the rest waits for the next job
MOST_REQUESTS = 3  # per profile, over all jobs: an answer refused so often will be refused again
MAX_OUTPUT_TOKENS = 900
LEASE = timedelta(minutes=10)  # longer than one question takes with all its retries
REFUSED_QUESTION = frozenset({400, 413, 422})  # HTTP statuses that blame one question, not the next ones
ALL_REJECTED = 5  # refused questions in a row, without any answer
LIST_TIMEOUT_S = 60.0  # seconds to read the largest batch once

NO_KEY = "OPENAI_API_KEY is not set, so results are deterministic only"
NO_PRICES = (
    "OPENAI_INPUT_USD_PER_MTOK and OPENAI_OUTPUT_USD_PER_MTOK are not set for this OPENAI_MODEL,"
    " so results are deterministic only"
)
NO_BUDGET = "OPENAI_BUDGET_USD is used up"


async def write_no_memos(_job: ClaimedJob, _database: Database, *, why: str) -> Result:
    """Handle a memo job in a worker without access to the model; a worker with access queued it."""
    _log_missing(why)
    return {"written": 0, "note": why}


async def write_memos(
    job: ClaimedJob,
    database: Database,
    *,
    client: OpenAIClient,
    prices: Prices,
    in_flight: int,
    budget_usd: Decimal,
) -> Result:
    """Handle one `enforcement_memos` job: request the memos that its batch lacks, the most promising cases first.

    Each memo is stored when it arrives, so a repeated job requests only the rest, with the rest of the budget. Raises
    OutsideError if the service fails: the queue retries if that may help.
    """
    batch_id = batch_of(job)
    async with database.read(timeout_s=LIST_TIMEOUT_S) as conn:
        wanted = await list_wanted_memos(conn, batch_id=batch_id, max_requests=MOST_REQUESTS, limit=MOST_A_JOB)
        spent = await read_memo_spending(conn, job_id=job.id, batch_id=batch_id)
    asking = _Asking(database, client, prices, Budget(budget_usd - spent), iter(wanted))
    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, len(wanted))):
            group.create_task(asking.run())
    return asking.result(wanted[0].wanted if wanted else 0)


class _Asking:
    """The questions for one batch, shared by the tasks that ask at the same time."""

    def __init__(
        self, database: Database, client: OpenAIClient, prices: Prices, budget: Budget, wanted: Iterator[WantedMemo]
    ) -> None:
        self._database = database
        self._client = client
        self._prices = prices
        self._budget = budget
        self._wanted = wanted
        self._counts: Counter[str] = Counter()
        self._cost = Decimal(0)
        self._note = ""
        self._failure: SourceError | None = None
        self._answered = self._rejected = 0

    async def run(self) -> None:
        """Request one memo after the other until none is left, the budget is used up, or the service fails."""
        for wanted in self._wanted:
            if self._note or self._failure:
                return
            question = _question_about(wanted)
            most = self._prices.cost_of(question.most_tokens)
            if not self._budget.reserve(most):
                self._note = NO_BUDGET
                return
            async with self._database.transaction() as conn:
                is_ours = await claim_memo(conn, memo_id=wanted.id, lease=LEASE, reserve_usd=most)
            if is_ours:
                await self._ask(wanted, question, most)
            else:
                self._budget.settle(most, Decimal(0))

    async def _ask(self, wanted: WantedMemo, question: Question, most: Decimal) -> None:
        """Ask one question, with retries within the budget. Money that may have been spent counts as spent."""
        reserved = most

        async def again(error: SourceError) -> bool:
            nonlocal reserved
            spent = self._settle_failure(error, reserved)
            reserved = most if self._budget.reserve(most) else Decimal(0)
            async with self._database.transaction() as conn:
                await retry_memo(conn, memo_id=wanted.id, spent_usd=spent, reserve_usd=reserved)
            return reserved > 0

        try:
            answer = await self._client.ask(question, again=again)
        except SourceError as error:
            await self._fail(wanted, error, reserved)
        else:
            await self._store(wanted, answer, question, most)

    async def _fail(self, wanted: WantedMemo, error: SourceError, reserved: Decimal) -> None:
        spent = self._settle_failure(error, reserved)
        if error.http_status in REFUSED_QUESTION and self._may_be_the_question():
            self._counts["refused"] += 1
            memo_answer = MemoAnswer(
                None, f"the service refused the question: {error.why}", self._client.model, 0, 0, spent
            )
            async with self._database.transaction() as conn:
                await store_memo(conn, memo_id=wanted.id, answer=memo_answer)
            return
        if reserved:
            self._failure = error
        else:
            self._note = NO_BUDGET  # not enough for another attempt
        async with self._database.transaction() as conn:
            await release_memo(conn, memo_id=wanted.id, spent_usd=spent)

    def _may_be_the_question(self) -> bool:
        """False if the service refuses every question and answers none: then the model or a setting is wrong."""
        self._rejected += 1
        return self._answered > 0 or self._rejected < ALL_REJECTED

    def _settle_failure(self, error: SourceError, reserved: Decimal) -> Decimal:
        """The cost in US dollars that the attempt may have had; 0 if the service surely did no work."""
        if error.outcome_unknown:
            self._cost += reserved
            return reserved
        self._budget.settle(reserved, Decimal(0))
        return Decimal(0)

    def result(self, wanted: int) -> Result:
        """Counts, the cost in US dollars as text, and why memos are missing, if so; all of it is logged too.

        Raises OutsideError.
        """
        written, refused = self._counts["written"], self._counts["refused"]
        left = wanted - written - refused
        line = "[%s] Memos: %d written, %d refused, %d left, %s USD"
        log.info(line, WorkerType.ENFORCEMENT, written, refused, left, self._cost)
        if self._failure:
            raise OutsideError(f"{SOURCE}: {self._failure.why}", may_retry=self._failure.retryable)
        if self._note:
            _log_missing(self._note)
        note = {"note": f"{self._note}; the figures do not depend on it"} if self._note else {}
        return {"written": written, "refused": refused, "left": left, "cost_usd": str(self._cost), **note}

    async def _store(self, wanted: WantedMemo, answer: Answer, question: Question, most: Decimal) -> None:
        usage = answer.usage or question.most_tokens  # an answer without usage counts as the possible maximum
        cost = self._prices.cost_of(usage)
        self._budget.settle(most, cost)
        self._cost += cost
        self._answered += 1
        memo, why = _memo_or_why(answer)
        self._counts["written" if memo else "refused"] += 1
        async with self._database.transaction() as conn:
            memo_answer = MemoAnswer(memo, why, self._client.model, usage.input_tokens, usage.output_tokens, cost)
            await store_memo(conn, memo_id=wanted.id, answer=memo_answer)


def _log_missing(why: str) -> None:
    log.warning("[%s] Memos missing: %s", WorkerType.ENFORCEMENT, why)


def _question_about(wanted: WantedMemo) -> Question:
    facts = json.dumps(wanted.facts, sort_keys=True)
    return Question(INSTRUCTIONS, facts, Memo, MAX_OUTPUT_TOKENS)


def _memo_or_why(answer: Answer) -> tuple[Mapping[str, Any] | None, str | None]:
    if answer.text is None:
        return None, answer.refused_because
    try:
        return read_memo(answer.text).model_dump(mode="json"), None
    except RefusedAnswerError as error:
        return None, str(error)
