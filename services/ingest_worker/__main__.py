"""`python -m services.ingest_worker`: judges uploaded rows until SIGTERM."""

from __future__ import annotations

import sys

from services.domain.services import WorkerType
from services.domain.simplicity import JOB_TYPE
from services.ingest_worker.handler import ingest_batch
from services.job_queue.process import run_worker
from services.job_queue.settings import WorkerSettings
from services.process.settings import read_or_exit

if __name__ == "__main__":
    sys.exit(run_worker(WorkerType.INGEST, {JOB_TYPE: ingest_batch}, read_or_exit(WorkerSettings)))
