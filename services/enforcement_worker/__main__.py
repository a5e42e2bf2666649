"""`python -m services.enforcement_worker`: assesses judgments until SIGTERM."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial

from services.domain.judgments import ENFORCEMENT_JOB_TYPE, MEMO_JOB_TYPE, REVIEW_JOB_TYPE
from services.domain.secrets import Secret
from services.domain.services import WorkerType
from services.enforcement_worker.handler import assess_batch
from services.enforcement_worker.memos import NO_KEY, NO_PRICES, write_memos, write_no_memos
from services.enforcement_worker.review import queue_review_if_due, review_due
from services.enforcement_worker.settings import EnforcementSettings
from services.job_queue.chores import Chore
from services.job_queue.jobs import Handler
from services.job_queue.process import run_worker
from services.openai.client import OpenAIClient
from services.process.settings import read_or_exit


def main() -> int:
    settings = read_or_exit(EnforcementSettings)
    why_not, write = _memo_writer(settings)
    handlers: Mapping[str, Handler] = {
        ENFORCEMENT_JOB_TYPE: partial(assess_batch, why_no_memos=why_not),
        REVIEW_JOB_TYPE: review_due,
        MEMO_JOB_TYPE: write,
    }
    reviews = Chore("queue_review_if_due", settings.review_every_s, queue_review_if_due)
    notices = [why_not] if why_not else []
    return run_worker(WorkerType.ENFORCEMENT, handlers, settings, notices=notices, chores=[reviews])


def _memo_writer(settings: EnforcementSettings) -> tuple[str | None, Handler]:
    """Why nobody can be asked for memos, if so, and what becomes of jobs for them."""
    if settings.openai_api_key is None:
        return NO_KEY, partial(write_no_memos, why=NO_KEY)
    if settings.prices is None:
        return NO_PRICES, partial(write_no_memos, why=NO_PRICES)
    client = OpenAIClient(
        api_key=Secret(settings.openai_api_key.get_secret_value()),
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        timeout_s=settings.openai_timeout_s,
        max_retries=settings.openai_max_retries,
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
    sys.exit(main())
