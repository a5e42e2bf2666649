"""`python -m services.enforcement_worker`: decides what to do next about judgments until SIGTERM."""

from __future__ import annotations

import sys

from services.domain.judgments import ENFORCEMENT_JOB_TYPE
from services.domain.services import WorkerType
from services.enforcement_worker.handler import decide_batch
from services.enforcement_worker.settings import EnforcementSettings
from services.job_queue.process import run_worker
from services.process.settings import read_or_exit


def main() -> int:
    settings = read_or_exit(EnforcementSettings)
    notices = () if settings.openai_api_key else ("OPENAI_API_KEY is not set: next steps come from fixed rules alone",)
    return run_worker(WorkerType.ENFORCEMENT, {ENFORCEMENT_JOB_TYPE: decide_batch}, settings, notices=notices)


if __name__ == "__main__":
    sys.exit(main())
