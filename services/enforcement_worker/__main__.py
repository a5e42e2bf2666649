"""`python -m services.enforcement_worker`: assesses judgments until SIGTERM."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # during imports, which make no garbage: collections took a fifth of the time

import sys
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PositiveInt, SecretStr, field_validator

from services.clients.openai import OpenAIClient
from services.domain.model_prices import DEFAULT_MODEL, Prices, prices_of
from services.domain.secrets import Secret
from services.domain.services import WorkerType
from services.domain.systems import ENFORCEMENT_JOB_TYPE, MEMO_JOB_TYPE, REVIEW_JOB_TYPE
from services.enforcement_worker.handler import assess_batch, queue_review_if_due, review_due
from services.enforcement_worker.memo_jobs import NO_KEY, NO_PRICES, write_memos, write_no_memos
from services.job_queue.jobs import Handler
from services.job_queue.process import MaintenanceTask, run_worker
from services.job_queue.worker import WorkerSettings
from services.process import collect_garbage_again, read_or_exit

REVIEW_EVERY_S = 600.0  # between two checks for assessments that are due
ATTEMPT_TIMEOUT_S, MAX_RETRIES = 30.0, 2  # of one question to the model

_Dollars = Annotated[Decimal, Field(ge=0, le=10_000)]
_ON_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class EnforcementSettings(WorkerSettings):
    """Settings of the enforcement worker. Without `OPENAI_API_KEY` no memo is requested. The budget is per job, so per
    batch."""

    concurrency: PositiveInt = 2  # memos take at most one (ops.job_types), so figures never wait for them

    openai_api_key: SecretStr | None = None
    openai_base_url: str = "https://api.openai.com/v1"
    openai_model: str = DEFAULT_MODEL
    openai_in_flight: PositiveInt = 4
    openai_budget_usd: _Dollars = Decimal(1)
    openai_input_usd_per_mtok: _Dollars | None = None  # US dollars per million tokens
    openai_output_usd_per_mtok: _Dollars | None = None

    @field_validator("openai_base_url")
    @classmethod
    def _is_safe_url(cls, value: str) -> str:
        """The request carries the key, so it must be encrypted unless it stays on this machine."""
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in _ON_THIS_MACHINE
        if not parts.hostname or not (parts.scheme == "https" or is_local):
            raise ValueError("must be an https:// address")
        return value

    @property
    def prices(self) -> Prices | None:
        """The prices of the configured model; None if they are unknown."""
        return prices_of(self.openai_model, self.openai_input_usd_per_mtok, self.openai_output_usd_per_mtok)


def main() -> int:
    settings = read_or_exit(EnforcementSettings)
    why_not, write = _memo_writer(settings)
    handlers: Mapping[str, Handler] = {
        ENFORCEMENT_JOB_TYPE: partial(assess_batch, why_no_memos=why_not),
        REVIEW_JOB_TYPE: review_due,
        MEMO_JOB_TYPE: write,
    }
    reviews = MaintenanceTask("queue_review_if_due", REVIEW_EVERY_S, queue_review_if_due)
    notices = [why_not] if why_not else []
    return run_worker(WorkerType.ENFORCEMENT, handlers, settings, notices=notices, maintenance=[reviews])


def _memo_writer(settings: EnforcementSettings) -> tuple[str | None, Handler]:
    """The reason why memos can't be requested (None if they can), and the handler of memo jobs."""
    if settings.openai_api_key is None:
        return NO_KEY, partial(write_no_memos, why=NO_KEY)
    if settings.prices is None:
        return NO_PRICES, partial(write_no_memos, why=NO_PRICES)
    client = OpenAIClient(
        api_key=Secret(settings.openai_api_key.get_secret_value()),
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        timeout_s=ATTEMPT_TIMEOUT_S,
        max_retries=MAX_RETRIES,
    )
    writing = partial(
        write_memos,
        client=client,
        prices=settings.prices,
        in_flight=settings.openai_in_flight,
        budget_usd=settings.openai_budget_usd,
    )
    return None, writing


if __name__ == "__main__":
    collect_garbage_again()
    sys.exit(main())
