"""Measures a model on the corpus: how often it is right, confidently wrong or dropped, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import quantiles

from bot.assistant.answerer import Answerer, ModelPart
from bot.assistant.check import ClaimKind
from bot.assistant.model import text_of
from services.clients.openai import OpenAIClient, Question
from services.domain.model_prices import prices_of
from services.domain.systems import RUNBOOK
from tests.assistant.corpus import Case


@dataclass
class Measured:
    """The figures of one model. `wrong`: cases in which it reports a problem that does not exist; the check makes other
    false claims impossible. `usd`: None if the model's price is unknown."""

    model: str
    answers: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    claims: int = 0
    dropped: int = 0
    unanswered: int = 0
    usd: Decimal | None = None
    took_s: list[float] = field(default_factory=list)

    def count(self, case: Case, part: ModelPart, took_s: float) -> None:
        self.answers += 1
        self.took_s.append(took_s)
        if part.outcome != "checked":
            self.unanswered += 1
            return
        texts = " ".join(one.claim.quote + one.claim.text for one in part.checked.proved)
        self.right += all(cause in texts for cause in case.causes)
        is_fine = not case.causes and not case.unknown
        if is_fine and any("🔴" in line.text for one in part.checked.proved for line in one.lines):
            self.wrong.append(case.name)
        self.dropped += len(part.checked.dropped)
        self.claims += sum(one.claim.kind is not ClaimKind.UNKNOWN for one in part.checked.proved)

    @property
    def line(self) -> str:
        """The figures as one line, to publish."""
        p95_s = quantiles(self.took_s, n=20)[-1] if len(self.took_s) > 1 else sum(self.took_s)
        return (
            f"{self.model}: right {self.right} of {self.answers}, confidently wrong {len(self.wrong)}, claims"
            f" {self.claims}, dropped {self.dropped}, without an answer {self.unanswered},"
            f" {'unknown' if self.usd is None else self.usd} USD, p95 {p95_s:.1f} s"
        )


async def measure(client: OpenAIClient, cases: Sequence[Case], *, times: int) -> Measured:
    """Ask each case `times` times, one after the other."""
    prices = prices_of(client.model)
    measured = Measured(client.model, usd=Decimal(0) if prices else None)

    async def ask(question: Question) -> str:
        answer = await client.ask(question)
        if prices is not None and measured.usd is not None:
            measured.usd += prices.cost_of(answer.usage or question.most_tokens)
        return text_of(answer)

    async def step(_: str) -> None:
        """Ignore the steps."""

    async def is_stopped() -> bool:
        return False

    for case in [one for one in cases for _ in range(times)]:
        began = time.monotonic()
        part = await Answerer(ask, case.run_read, step, is_stopped, RUNBOOK).answer(case.question, None)
        measured.count(case, part, time.monotonic() - began)
    return measured
