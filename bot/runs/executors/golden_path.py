"""Sends our test file through the intake once, follows it, verifies the result, and removes it.

Each run has its own file, so that its hash in the database shows at any time whether the upload happened.
"""

from __future__ import annotations

import asyncio
import time

from bot.facts.golden_path import file_of, gather_verification, read_golden_batch, read_sample_file
from bot.runs.executor import (
    Act,
    Before,
    Done,
    Drifted,
    Failed,
    Json,
    LocalStep,
    NotApplied,
    ReadBack,
    Ready,
    Sight,
    Tools,
    Unknown,
    Waiting,
    WaitStep,
)
from playbooks.checks import golden_path
from playbooks.model import Finding, Status
from playbooks.steps import (
    AwaitSample,
    CheckIngestBeats,
    RemoveSample,
    UploadSample,
    VerifyKeptSample,
    VerifySampleData,
    VerifySampleRows,
)
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.operated import find_golden_batch, read_heartbeats, remove_golden_batch
from services.clients.postgres.pool import Connection
from services.domain.batches import Batch
from services.domain.errors import SourceError, Unavailable
from services.domain.intake import sha256_of
from services.domain.jobs import HeartbeatReading
from services.domain.text import counted

SOURCE = "API"
KNOWN = 409  # the API's answer to a file that it has already


class IngestBeats(WaitStep[CheckIngestBeats]):
    """Waits for a fresh heartbeat of one ingest worker. One is enough: what matters is that files are processed."""

    async def observe(self) -> Sight:
        reading = await self._tools.world.read(read_heartbeats)
        if isinstance(reading, Unavailable):
            return Unknown(str(reading))
        beating = self._count(reading)
        if beating:
            return Done(f"{counted(beating, 'ingest worker')} alive")
        return Waiting("no ingest worker is alive") if reading.all_visible else Unknown("no heartbeat can be seen")

    def _count(self, reading: HeartbeatReading) -> int:
        stale_after = self._tools.world.settings.stale_after
        uploader = self._tools.world.system.uploader
        own = [beat for beat in reading.rows if uploader is not None and beat.worker_type == uploader.worker_type]
        return sum(beat.is_beating(reading.as_of, stale_after) for beat in own)


class Upload(Act[UploadSample]):
    """Uploads the test file. The API refuses a file that it has, so a late second attempt changes nothing."""

    async def before(self) -> Before:
        sample = read_sample_file()
        if isinstance(sample, Unavailable):
            return Drifted(f"the test file cannot be used: {sample.why}")
        if sample.checksum != self._step.checksum:
            return Drifted("the test file is not the one that was approved")
        return Ready({"sha256": sha256_of(sample.of_run(self._tools.run.id, self._tools.run.created_at))})

    async def send(self, intent: Json, deadline: float) -> None:
        """Upload the file. Raises SourceError. The database shows whether it arrived: the API may use another
        database."""
        api, content = self._tools.world.api, file_of(self._tools.run)
        if api is None or isinstance(content, Unavailable) or sha256_of(content) != intent["sha256"]:
            raise SourceError(SOURCE, "it is not configured, or the test file has changed")
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                name = f"golden-path-run-{self._tools.run.id}-{intent['sha256'][:16]}.csv"  # civil stores no hash
                await api.upload_csv(name, content, is_golden_path=True)
        except TimeoutError:
            raise SourceError(SOURCE, "no answer in time", outcome_unknown=True) from None
        except SourceError as error:
            if error.http_status != KNOWN:
                raise

    async def read_back(self, intent: Json) -> ReadBack:
        batch = await read_golden_batch(self._tools.world, intent["sha256"])
        if isinstance(batch, Unavailable):
            return Unknown(str(batch))
        if batch is None:
            return NotApplied("the database has no batch of this file")
        return Done(f"batch_id = {batch.id}", {"batch_id": batch.id, "sha256": intent["sha256"]})


class SampleIngested(WaitStep[AwaitSample]):
    """Waits until the API reports the batch as completed, as the runbook does."""

    async def observe(self) -> Sight:
        batch = await _batch(self._tools)
        if isinstance(batch, Unavailable):
            return Unknown(str(batch))
        match batch.status:
            case "completed":
                return Done("Batch completed", {"validated": batch.validated, "failed": batch.failed})
            case "failed":
                return Failed("the batch failed: its job gave up")
            case status:
                return Waiting(f"the batch is {status}")


class SampleRows(WaitStep[VerifySampleRows]):
    """Verifies the row counts that the API reports."""

    async def observe(self) -> Sight:
        batch = await _batch(self._tools)
        if isinstance(batch, Unavailable):
            return Unknown(str(batch))
        counts = {"rows": batch.row_count, "validated": batch.validated, "failed": batch.failed}
        if (batch.row_count, batch.validated, batch.failed) == (self._step.rows, self._step.rows, 0):
            return Done("Row counts valid", counts)
        words = ", ".join(f"{count} {name}" for name, count in counts.items())
        return Failed(f"row counts are wrong: {words}; {self._step.rows} should have passed", counts)


class SampleData(WaitStep[VerifySampleData]):
    """Makes the five verifications together; one that may still pass is repeated."""

    async def observe(self) -> Sight:
        evidence = _upload_evidence(self._tools)
        found = golden_path.check(
            await gather_verification(
                self._tools.world,
                sha256=evidence["sha256"],
                batch_id=evidence["batch_id"],
                rows=self._step.rows,
                upload_only=isinstance(self._step, VerifyKeptSample),
            )
        )
        wrong = [finding for finding in found if finding.status is not Status.OK]
        shown = {finding.check.rpartition(".")[2]: finding.title for finding in found}
        if not wrong:
            return Done(f"{len(found)} of {len(found)} hold: {'; '.join(shown.values())}", shown)
        words = "; ".join(map(_words, wrong))
        if any(finding.status is Status.FAIL for finding in wrong):
            return Failed(words, shown)
        return Unknown(words) if any(one.status is Status.UNKNOWN for one in wrong) else Waiting(words)


class Remove(LocalStep[RemoveSample]):
    """Removes the test batch. The database's own function refuses a batch that is not marked as a test."""

    async def do(self, conn: Connection) -> Done:
        batch_id = self._step.batch_id or await self._own_batch(conn)
        if batch_id is not None and await remove_golden_batch(conn, batch_id=batch_id):
            return Done("the test batch is gone with its rows, judgments and jobs", {"removed": batch_id})
        return Done("there is no test batch to remove")

    async def _own_batch(self, conn: Connection) -> str | None:
        content = file_of(self._tools.run)
        if isinstance(content, Unavailable):
            raise SourceError(content.source, content.why)
        batch = await find_golden_batch(conn, sha256=sha256_of(content))
        return batch.id if batch else None


async def _batch(tools: Tools) -> Batch | Unavailable:
    return await tools.world.ask_api(DragonflyApi.read_batch, _upload_evidence(tools)["batch_id"])


def _upload_evidence(tools: Tools) -> Json:
    """The evidence that this run's upload stored in the journal."""
    return next(past.row.evidence or {} for past in tools.past if isinstance(past.step, UploadSample))


def _words(finding: Finding) -> str:
    return f"{finding.title} ({finding.detail})" if finding.detail else finding.title
