"""A worker's environment."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt

from services.process import ProcessSettings


class WorkerSettings(ProcessSettings):
    """Times in seconds. `stop_grace_s` has to be shorter than the draining time that Railway gives."""

    heartbeat_every_s: PositiveFloat = 30.0  # ten beats until one counts as stale
    poll_every_s: PositiveFloat = 1.0  # only while nothing rings: retries become due without a notice
    stop_grace_s: PositiveFloat = 20.0  # for the job under way after SIGTERM, then it is handed back
    concurrency: PositiveInt = 1  # jobs at the same time, each with a session of its own
    claim_batch: PositiveInt = 1  # jobs claimed and settled in one transaction; a crash repeats as many
    pool_size: PositiveInt = 2  # one for the job, one for the heartbeat's probe
    lock_timeout_s: PositiveFloat = 600.0  # a job whose worker has been silent for so long goes to another one
    gone_after_s: PositiveFloat = 17.0  # the same when its sessions are gone too: three missed beats of a busy worker
    reap_every_s: PositiveFloat = 5.0

    @property
    def sessions(self) -> int:
        """How many the pool may hold: one for each job at least, and one for the heartbeat's probe."""
        return max(self.pool_size, self.concurrency + 1)
