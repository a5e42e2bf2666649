"""What memos may cost. Pure; amounts in US dollars, exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal

from services.openai.client import Question, Usage

MTOK = 1_000_000
_MICRO_DOLLAR = Decimal("0.000001")
_LETTERS_A_TOKEN = 2  # English has about four: an estimate that is never too low
_OVERHEAD_TOKENS = 100  # roles and separators


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def cost_of(self, usage: Usage) -> Decimal:
        """Rounded up to a millionth of a dollar. Cached input is counted in full, so the bill may be lower."""
        exact = usage.input_tokens * self.input_usd_per_mtok + usage.output_tokens * self.output_usd_per_mtok
        return (exact / MTOK).quantize(_MICRO_DOLLAR, rounding=ROUND_UP)


def most_tokens(question: Question) -> Usage:
    """More than the question can use."""
    letters = len(question.instructions) + len(question.text) + len(str(question.schema))
    return Usage(letters // _LETTERS_A_TOKEN + _OVERHEAD_TOKENS, question.max_output_tokens)


@dataclass
class Budget:
    """What is left to spend: reserve before a question, settle after it. Without an answer it stays reserved."""

    limit: Decimal
    reserved: Decimal = field(default=Decimal(0), init=False)

    def reserve(self, most: Decimal) -> bool:
        """Whether the budget allows a question that may cost so much; if so, it is set aside."""
        if self.reserved + most > self.limit:
            return False
        self.reserved += most
        return True

    def settle(self, most: Decimal, cost: Decimal) -> None:
        """Replace what was set aside by what it cost."""
        self.reserved += cost - most
