"""The default language model, and what it costs: prices of 2025-08-07, from OpenAI's list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

MTOK = 1_000_000
_MICRO_DOLLAR = Decimal("0.000001")
_LETTERS_A_TOKEN = 2  # English has about four: an estimate that is never too low
_OVERHEAD_TOKENS = 100  # roles and separators


@dataclass(frozen=True)
class Usage:
    """Tokens as the service counts them, for which it wants money."""

    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def cost_of(self, usage: Usage) -> Decimal:
        """Rounded up to a millionth of a dollar. Cached input is counted in full, so the bill may be lower."""
        exact = usage.input_tokens * self.input_usd_per_mtok + usage.output_tokens * self.output_usd_per_mtok
        return (exact / MTOK).quantize(_MICRO_DOLLAR, rounding=ROUND_UP)


DEFAULT_MODEL = "gpt-4o-mini"
PRICES: Mapping[str, Prices] = {
    "gpt-4o-mini": Prices(Decimal("0.15"), Decimal("0.60")),
    "gpt-4.1-mini": Prices(Decimal("0.40"), Decimal("1.60")),
    "gpt-4.1": Prices(Decimal("2.00"), Decimal("8.00")),
}


def prices_of(model: str, input_usd: Decimal | None = None, output_usd: Decimal | None = None) -> Prices | None:
    """The prices that are set, both of them; otherwise those that we know; None for an unknown model."""
    if input_usd is not None and output_usd is not None:
        return Prices(input_usd, output_usd)
    return PRICES.get(model)


def most_tokens(letters: int, max_output_tokens: int) -> Usage:
    """More than a question of so many letters, its schema included, can use."""
    return Usage(letters // _LETTERS_A_TOKEN + _OVERHEAD_TOKENS, max_output_tokens)
