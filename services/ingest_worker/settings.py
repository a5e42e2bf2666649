"""The ingest worker's environment."""

from __future__ import annotations

from pydantic import NonNegativeInt

from services.job_queue.settings import WorkerSettings


class IngestSettings(WorkerSettings):
    """Ages in days after which the worker deletes what nobody needs any more; 0 keeps it for good."""

    completed_jobs_keep_days: NonNegativeInt = 90
    failed_jobs_keep_days: NonNegativeInt = 365  # somebody may still put them back
    intake_log_keep_days: NonNegativeInt = 365
    raw_rows_keep_days: NonNegativeInt = 0  # the originals as uploaded: only who set an age has them deleted
