"""`python -m services.ingest_worker`: judges uploaded rows until SIGTERM."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # during imports, which make no garbage: collections took a fifth of the time

import sys
from functools import partial

from services.domain.services import WorkerType
from services.domain.systems import JOB_TYPE
from services.ingest_worker.handler import EVERY_S, IngestSettings, ingest_batch, prune_old
from services.job_queue.process import MaintenanceTask, run_worker
from services.process import collect_garbage_again, read_or_exit


def main() -> int:
    settings = read_or_exit(IngestSettings)
    # A page of rows is 100,000 objects without a cycle; searching for cycles took as long as judging.
    gc.set_threshold(200_000)
    # One thread judges while the other stores; the database's answers must not wait 5 ms for the interpreter.
    sys.setswitchinterval(0.0005)
    retention = MaintenanceTask("retention", EVERY_S, partial(prune_old, settings=settings))
    return run_worker(WorkerType.INGEST, {JOB_TYPE: ingest_batch}, settings, maintenance=[retention])


if __name__ == "__main__":
    collect_garbage_again()
    sys.exit(main())
