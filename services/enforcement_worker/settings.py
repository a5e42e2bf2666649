"""The enforcement worker's environment."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator

from services.enforcement_worker.budget import Prices
from services.job_queue.settings import WorkerSettings

DEFAULT_MODEL = "gpt-4o-mini"
DEFAULT_PRICES = Prices(Decimal("0.15"), Decimal("0.60"))  # of that model, OpenAI's list in 2025

_Dollars = Annotated[Decimal, Field(ge=0, le=10_000)]
_ON_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class EnforcementSettings(WorkerSettings):
    """Without `OPENAI_API_KEY` no memo is asked for. The budget holds for one job, so for one batch."""

    concurrency: PositiveInt = 2  # memos take one at most (ops.job_types), so figures never wait for them

    review_every_s: PositiveFloat = 600.0  # looks so often whether an assessment is due
    openai_api_key: SecretStr | None = None
    openai_base_url: str = "https://api.openai.com/v1"
    openai_model: str = DEFAULT_MODEL
    openai_timeout_s: PositiveFloat = 30.0  # one attempt
    openai_max_retries: NonNegativeInt = 2
    openai_in_flight: PositiveInt = 4
    openai_budget_usd: _Dollars = Decimal(1)
    openai_input_usd_per_mtok: _Dollars | None = None  # US dollars for a million tokens
    openai_output_usd_per_mtok: _Dollars | None = None

    @field_validator("openai_base_url")
    @classmethod
    def _is_safe_url(cls, value: str) -> str:
        """The key travels along, so it must be encrypted unless it stays on this machine."""
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in _ON_THIS_MACHINE
        if not parts.hostname or not (parts.scheme == "https" or is_local):
            raise ValueError("must be an https:// address")
        return value

    @property
    def prices(self) -> Prices | None:
        """None while the prices of a model of somebody's own choice are not known."""
        if self.openai_input_usd_per_mtok is not None and self.openai_output_usd_per_mtok is not None:
            return Prices(self.openai_input_usd_per_mtok, self.openai_output_usd_per_mtok)
        return DEFAULT_PRICES if self.openai_model == DEFAULT_MODEL else None
