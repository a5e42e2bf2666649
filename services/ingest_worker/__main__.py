"""`python -m services.ingest_worker`: judges uploaded rows until SIGTERM."""

from __future__ import annotations

import gc
import sys

from services.domain.services import WorkerType
from services.domain.simplicity import JOB_TYPE
from services.ingest_worker.handler import ingest_batch
from services.job_queue.process import run_worker
from services.job_queue.settings import WorkerSettings
from services.process.settings import read_or_exit


def main() -> int:
    settings = read_or_exit(WorkerSettings)
    # A page of rows is a hundred thousand objects and no cycle; looking for cycles took as long as judging.
    gc.freeze()
    gc.set_threshold(200_000)
    # One thread judges while the other stores; what the database answers must not wait 5 ms for its turn.
    sys.setswitchinterval(0.0005)
    return run_worker(WorkerType.INGEST, {JOB_TYPE: ingest_batch}, settings)


if __name__ == "__main__":
    sys.exit(main())
