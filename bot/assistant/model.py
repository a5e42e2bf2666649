"""Asks the model within its budget. Its answers are not checked here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

from services.clients.openai import Answer, OpenAIClient, Question
from services.clients.postgres.asks import lock_ask_budget, read_ask_spending, reserve_for_ask, settle_ask
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError
from services.domain.model_prices import AskBudget, Prices, Usage


class NoModelAnswerError(Exception):
    """The model gave no usable answer. `outcome`: one word for the record; `why`: a clause for people."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


@dataclass
class Spent:
    """The cost of one answer so far."""

    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    usd: Decimal = Decimal(0)

    def add(self, usage: Usage, usd: Decimal) -> None:
        self.usage = Usage(self.usage.input_tokens + usage.input_tokens, self.usage.output_tokens + usage.output_tokens)
        self.usd += usd


@dataclass(frozen=True)
class Model:
    """The configured model, with its prices and its budget."""

    client: OpenAIClient
    prices: Prices
    budget: AskBudget

    @property
    def name(self) -> str:
        return self.client.model


class PaidCalls:
    """Makes the model calls of one answer. The cost of each is reserved before the call, and settled after it."""

    def __init__(self, model: Model, database: Database, *, ask_id: int, user_id: str | None) -> None:
        self._model = model
        self._database = database
        self.ask_id = ask_id
        self._user_id = user_id
        self.spent = Spent()

    async def ask(self, question: Question) -> str:
        """Ask the model, and return its text. Raises NoModelAnswerError, and SourceError if the database is away."""
        most = question.most_tokens
        reserved = self._model.prices.cost_of(most)
        await self._reserve(reserved, most.tokens)
        usage, usd = most, reserved  # the most that it may cost, until the answer shows it
        try:
            answer = await self._model.client.ask(question)
            usage = answer.usage or most
            usd = self._model.prices.cost_of(usage)
            return text_of(answer)
        except SourceError as error:
            if not error.outcome_unknown:
                usage, usd = Usage(0, 0), Decimal(0)
            raise NoModelAnswerError("failed", f"the model gave no answer: {error.why}") from None
        finally:
            self.spent.add(usage, usd)
            await asyncio.shield(self._settle(reserved, most.tokens, usd, usage.tokens))

    async def _reserve(self, usd: Decimal, tokens: int) -> None:
        async with self._database.transaction() as conn:
            await lock_ask_budget(conn)
            spent = await read_ask_spending(conn, ask_id=self.ask_id, user_id=self._user_id)
            why = self._model.budget.why_not(spent, usd, tokens)
            if why is None:
                await reserve_for_ask(conn, ask_id=self.ask_id, usd=usd, tokens=tokens, model=self._model.name)
        if why is not None:
            raise NoModelAnswerError("over_budget", f"{why} for the model is used up")

    async def _settle(self, reserved_usd: Decimal, reserved_tokens: int, cost_usd: Decimal, tokens: int) -> None:
        async with self._database.transaction() as conn:
            await settle_ask(
                conn,
                ask_id=self.ask_id,
                reserved_usd=reserved_usd,
                reserved_tokens=reserved_tokens,
                cost_usd=cost_usd,
                tokens=tokens,
            )


def text_of(answer: Answer) -> str:
    """Return the text of the answer. Raises NoModelAnswerError if the model wrote nothing usable."""
    if answer.text is None:
        why = "the model declined" if answer.refused_because == "the model declined" else "its answer was not usable"
        raise NoModelAnswerError("refused", why)
    return answer.text
