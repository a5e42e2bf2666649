"""The steps of a plan: a closed union of frozen dataclasses, shown, hashed, journaled, executed and undone as data.

Adding a kind fails type checking until every `match` over `Step` handles it. A step carries what it rests on (`from_`,
the serving deployment, the schema's head), so that acting on an outdated plan is noticed before anything happens.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass

from services.domain.services import Service


class _Act:
    """Changes something, at most once; every other step looks once, or until something is so or time is up."""


@dataclass(frozen=True)
class CheckDatabaseReady:
    """The database answers and the queue can be read (runbook, "Scale 0 → 1", step 2)."""


@dataclass(frozen=True)
class CheckWorkersHealthy:
    """As many workers of the service beat as are configured (runbook, "Scale 1 → N", step 1)."""

    service: Service
    expected: int


@dataclass(frozen=True)
class ScaleService(_Act):
    """Set the configured replicas. Absolute: never "one more"."""

    service: Service
    from_: int
    to: int


@dataclass(frozen=True)
class StopService(_Act):
    """Stop the running deployment, which is how a service gets to zero. `from_` replicas ran."""

    service: Service
    deployment_id: str
    from_: int


@dataclass(frozen=True)
class StartService(_Act):
    """Start a stopped service again by redeploying that deployment, at `to` replicas."""

    service: Service
    deployment_id: str
    to: int


@dataclass(frozen=True)
class AwaitStopped:
    """No instance of the service runs any more; `timeout_s` covers the draining time."""

    service: Service
    timeout_s: int


@dataclass(frozen=True)
class FreezeAutoDeploy(_Act):
    """Keep a push to main from overwriting what this run does. Best effort: its failure is said and never blocks."""

    service: Service


@dataclass(frozen=True)
class UnfreezeAutoDeploy(_Act):
    """Let a push to main deploy again."""

    service: Service


@dataclass(frozen=True)
class RollBackDeployment(_Act):
    """Go back to an earlier deployment: its image and its variables. `from_` serves now."""

    service: Service
    from_: str
    to: str
    sha: str


@dataclass(frozen=True)
class DeployCommit(_Act):
    """Build and deploy one commit. `from_` is the deployment that serves now, None when nothing does."""

    service: Service
    sha: str
    from_: str | None


@dataclass(frozen=True)
class RestartDeployment(_Act):
    """Restart the serving deployment: same deployment, no build."""

    service: Service
    deployment_id: str


@dataclass(frozen=True)
class RedeployDeployment(_Act):
    """Deploy the serving deployment's code again, with the variables of now."""

    service: Service
    deployment_id: str


@dataclass(frozen=True)
class AwaitDeployment:
    """The deployment that this run's last act on the service made, or restarted, is SUCCESS."""

    service: Service
    timeout_s: int


@dataclass(frozen=True)
class VerifySha:
    """The process itself reports the commit: `/api/health` for the API, heartbeats for a worker."""

    service: Service
    sha: str
    timeout_s: int


@dataclass(frozen=True)
class VerifyHeartbeats:
    """Exactly `expected` workers of the service beat, with beats from after the last act."""

    service: Service
    expected: int
    timeout_s: int


@dataclass(frozen=True)
class VerifyStartupLog:
    """The log has the runbook's three startup lines ("Scale 0 → 1", step 4)."""

    service: Service
    timeout_s: int


@dataclass(frozen=True)
class VerifyApiHealth:
    """`/api/health` is ok."""

    timeout_s: int


@dataclass(frozen=True)
class VerifyNoOrphanedJobs:
    """No `processing` job is without a living worker; those that are get listed with a button to requeue."""

    service: Service


@dataclass(frozen=True)
class Soak:
    """Watch the runbook's checks for `seconds` against the ten minutes before; a breach goes to `fall_back_to`."""

    service: Service
    seconds: int
    fall_back_to: int


@dataclass(frozen=True)
class RequeueJobs(_Act):
    """Put jobs back to pending, attempts kept. `job_ids` in order; capped by the playbook."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True)
class VerifyJobsSettled:
    """The requeued jobs were taken up and do not fail again within `timeout_s`."""

    job_ids: tuple[str, ...]
    timeout_s: int


@dataclass(frozen=True)
class LockService(_Act):
    """Refuse deploys of the service until `unlock`; `reason` is shown to whoever is refused."""

    service: Service
    reason: str


@dataclass(frozen=True)
class UnlockService(_Act):
    """Lift the service's lock."""

    service: Service


@dataclass(frozen=True)
class VerifyNothingRuns:
    """No instance of these services runs, and none of their workers beats."""

    services: tuple[Service, ...]


@dataclass(frozen=True)
class ApplySqlFile(_Act):
    """Apply a prepared rollback in one transaction with a lock timeout. `checksum` is the file's SHA-256, `head` the
    schema's head before."""

    version: str
    checksum: str
    head: str


@dataclass(frozen=True)
class VerifySchemaHead:
    """The newest applied migration is this one; None: none is applied."""

    version: str | None


@dataclass(frozen=True)
class CheckIngestBeats:
    """At least one ingest worker beats (runbook, "Golden Path Validation", prerequisites)."""


@dataclass(frozen=True)
class UploadSample(_Act):
    """Upload our test file through the API: once, as a marked batch, under a case number of this run. `checksum` is
    the SHA-256 of the file in the repository."""

    checksum: str


@dataclass(frozen=True)
class AwaitSample:
    """The ingest worker has completed the batch that this run uploaded."""

    timeout_s: int


@dataclass(frozen=True)
class VerifySampleRows:
    """Each of the batch's rows passed, and the batch has as many as the file."""

    rows: int


@dataclass(frozen=True)
class VerifySampleData:
    """The runbook's five SQL verifications hold, of this run's batch."""

    rows: int


@dataclass(frozen=True)
class RemoveSample(_Act):
    """Remove a marked batch with all that came of it. None: the one that this run uploaded, whatever became of it."""

    batch_id: str | None


Step = (
    CheckDatabaseReady
    | CheckWorkersHealthy
    | ScaleService
    | StopService
    | StartService
    | AwaitStopped
    | FreezeAutoDeploy
    | UnfreezeAutoDeploy
    | RollBackDeployment
    | DeployCommit
    | RestartDeployment
    | RedeployDeployment
    | AwaitDeployment
    | VerifySha
    | VerifyHeartbeats
    | VerifyStartupLog
    | VerifyApiHealth
    | VerifyNoOrphanedJobs
    | Soak
    | RequeueJobs
    | VerifyJobsSettled
    | LockService
    | UnlockService
    | VerifyNothingRuns
    | ApplySqlFile
    | VerifySchemaHead
    | CheckIngestBeats
    | UploadSample
    | AwaitSample
    | VerifySampleRows
    | VerifySampleData
    | RemoveSample
)

STEPS: Mapping[str, type[Step]] = {kind.__name__: kind for kind in typing.get_args(Step)}


def is_act(step: Step) -> bool:
    """Whether the step changes something."""
    return isinstance(step, _Act)
