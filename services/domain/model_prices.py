"""The known language models: their prices, and the dates on which they shut down.

Looked up on 2026-11-29. Price and reasoning of gpt-6-luna: its page at developers.openai.com/api/docs/models. Prices of
the gpt-4 models, which that site no longer lists: copies of its price list of May to September 2026, which agree.
Shutdown dates: developers.openai.com/api/docs/deprecations. Nothing is assumed about any other model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_UP, Decimal

MTOK = 1_000_000
_MICRO_DOLLAR = Decimal("0.000001")
_LETTERS_A_TOKEN = 2  # English has about 4 per token: so the estimate is never too low
_OVERHEAD_TOKENS = 100  # roles and separators


@dataclass(frozen=True)
class Usage:
    """The tokens of one call, as OpenAI counts and bills them."""

    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def cost_of(self, usage: Usage) -> Decimal:
        """The cost in US dollars, rounded up to a millionth. Cached input counts in full, so the bill may be lower."""
        exact = usage.input_tokens * self.input_usd_per_mtok + usage.output_tokens * self.output_usd_per_mtok
        return (exact / MTOK).quantize(_MICRO_DOLLAR, rounding=ROUND_UP)


@dataclass(frozen=True)
class KnownModel:
    """`effort`: its `reasoning.effort`; None if it does not reason, and refuses the field. `ends_on`: the day on which
    OpenAI shuts it down; None if none is announced."""

    prices: Prices
    effort: str | None = None
    ends_on: date | None = None


DEFAULT_MODEL = "gpt-6-luna"
_GPT_4_ENDS = date(2027, 1, 14)
MODELS: Mapping[str, KnownModel] = {
    # By default it reasons, which costs as much time and as many tokens as a short answer.
    "gpt-6-luna": KnownModel(Prices(Decimal("0.10"), Decimal("0.50")), effort="none"),
    "gpt-4o-mini": KnownModel(Prices(Decimal("0.15"), Decimal("0.60")), ends_on=_GPT_4_ENDS),
    "gpt-4.1-mini": KnownModel(Prices(Decimal("0.40"), Decimal("1.60")), ends_on=_GPT_4_ENDS),
    "gpt-4.1": KnownModel(Prices(Decimal("2.00"), Decimal("8.00")), ends_on=_GPT_4_ENDS),
}


def prices_of(model: str, input_usd: Decimal | None = None, output_usd: Decimal | None = None) -> Prices | None:
    """The prices from the settings if both are set, else the known ones; None for an unknown model."""
    if input_usd is not None and output_usd is not None:
        return Prices(input_usd, output_usd)
    known = MODELS.get(model)
    return known.prices if known else None


def most_tokens(letters: int, max_output_tokens: int) -> Usage:
    """An upper bound of the tokens of a question with so many letters, its schema included."""
    return Usage(letters // _LETTERS_A_TOKEN + _OVERHEAD_TOKENS, max_output_tokens)


@dataclass(frozen=True)
class AskSpending:
    """The dollars and tokens spent or reserved today: by one answer, by its person, by everyone in this environment."""

    answer_usd: Decimal
    answer_tokens: int
    person_usd: Decimal
    person_tokens: int
    day_usd: Decimal
    day_tokens: int


@dataclass(frozen=True)
class AskBudget:
    """The most that one answer, one person on one day, and everyone on one day (UTC) may use."""

    answer_usd: Decimal = Decimal("0.05")
    person_usd: Decimal = Decimal("0.50")
    day_usd: Decimal = Decimal(5)
    answer_tokens: int = 60_000
    person_tokens: int = 600_000
    day_tokens: int = 6_000_000

    def why_not(self, spent: AskSpending, usd: Decimal, tokens: int) -> str | None:
        """The name of the budget that such a call would exceed; None if it fits all of them."""
        limits = (
            ("this answer's budget", spent.answer_usd + usd > self.answer_usd),
            ("this answer's token budget", spent.answer_tokens + tokens > self.answer_tokens),
            ("your budget for today", spent.person_usd + usd > self.person_usd),
            ("your token budget for today", spent.person_tokens + tokens > self.person_tokens),
            ("today's budget", spent.day_usd + usd > self.day_usd),
            ("today's token budget", spent.day_tokens + tokens > self.day_tokens),
        )
        return next((name for name, is_over in limits if is_over), None)
