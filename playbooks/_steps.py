"""The steps of a plan: a closed union of frozen dataclasses, shown, hashed, journaled, executed and undone as data.

Adding a kind fails type checking until every `match` over `Step` handles it. A step carries what it rests on (`from_`,
the serving deployment, the schema's head), so that acting on an outdated plan is noticed before anything happens.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum, StrEnum
from typing import Any, Union

from services.domain.services import Service

FORMAT = 1  # of stored steps; a replica claims only runs whose format and kinds it knows


class StepKind(StrEnum):
    """READ only looks, ACT changes something (at most once), WAIT looks until something is so or time is up."""

    READ = "read"
    ACT = "act"
    WAIT = "wait"


@dataclass(frozen=True)
class CheckDatabaseReady:
    """The database answers and the queue can be read (runbook, "Scale 0 → 1", step 2)."""


@dataclass(frozen=True)
class CheckWorkersHealthy:
    """As many workers of the service beat as are configured (runbook, "Scale 1 → N", step 1)."""

    service: Service
    expected: int


@dataclass(frozen=True)
class ScaleService:
    """Set the configured replicas. Absolute: never "one more"."""

    service: Service
    from_: int
    to: int


@dataclass(frozen=True)
class StopService:
    """Stop the running deployment, which is how a service gets to zero (DESIGN §8). `from_` replicas ran."""

    service: Service
    deployment_id: str
    from_: int


@dataclass(frozen=True)
class StartService:
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
class FreezeAutoDeploy:
    """Keep a push to main from overwriting what this run does. Best effort: its failure is said and never blocks."""

    service: Service


@dataclass(frozen=True)
class UnfreezeAutoDeploy:
    """Let a push to main deploy again."""

    service: Service


@dataclass(frozen=True)
class RollBackDeployment:
    """Go back to an earlier deployment: its image and its variables. `from_` serves now."""

    service: Service
    from_: str
    to: str
    sha: str


@dataclass(frozen=True)
class DeployCommit:
    """Build and deploy one commit. `from_` is the deployment that serves now, None when nothing does."""

    service: Service
    sha: str
    from_: str | None


@dataclass(frozen=True)
class RestartDeployment:
    """Restart the serving deployment: same deployment, no build."""

    service: Service
    deployment_id: str


@dataclass(frozen=True)
class RedeployDeployment:
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
class RequeueJobs:
    """Put jobs back to pending, attempts kept. `job_ids` in order; capped by the playbook."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True)
class VerifyJobsSettled:
    """The requeued jobs were taken up and do not fail again within `timeout_s`."""

    job_ids: tuple[str, ...]
    timeout_s: int


@dataclass(frozen=True)
class LockService:
    """Refuse deploys of the service until `unlock`; `reason` is shown to whoever is refused."""

    service: Service
    reason: str


@dataclass(frozen=True)
class UnlockService:
    """Lift the service's lock."""

    service: Service


@dataclass(frozen=True)
class VerifyNothingRuns:
    """No instance of these services runs, and none of their workers beats."""

    services: tuple[Service, ...]


@dataclass(frozen=True)
class ApplySqlFile:
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
class UploadSample:
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
class RemoveSample:
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

_ACTS = (
    ScaleService,
    StopService,
    StartService,
    FreezeAutoDeploy,
    UnfreezeAutoDeploy,
    RollBackDeployment,
    DeployCommit,
    RestartDeployment,
    RedeployDeployment,
    RequeueJobs,
    LockService,
    UnlockService,
    ApplySqlFile,
    UploadSample,
    RemoveSample,
)
_READS = (
    CheckDatabaseReady,
    CheckWorkersHealthy,
    VerifyNoOrphanedJobs,
    VerifyNothingRuns,
    VerifySchemaHead,
    CheckIngestBeats,
    VerifySampleRows,
    VerifySampleData,
)


def kind_of(step: Step) -> StepKind:
    """Whether the step looks, acts or waits."""
    if isinstance(step, _ACTS):
        return StepKind.ACT
    return StepKind.READ if isinstance(step, _READS) else StepKind.WAIT


def encode_step(step: Step) -> dict[str, Any]:
    """JSON-able: `{"kind": "ScaleService", "service": "dragonfly-api", "from_": 1, "to": 2}`."""
    return {"kind": type(step).__name__, **asdict(step)}


def decode_step(stored: Mapping[str, Any]) -> Step:
    """The inverse of `encode_step`. Raises ValueError for a kind or a shape that this version does not know."""
    kind = STEPS.get(stored.get("kind", ""))
    if kind is None or set(stored) - {"kind"} != {field.name for field in fields(kind)}:
        raise ValueError(f"unknown step {stored.get('kind')!r}")
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: _restore(hints[field.name], stored[field.name]) for field in fields(kind)})


def _restore(wanted: Any, value: Any) -> Any:
    """A JSON value as the type that the field declares."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is tuple:
        return tuple(_restore(inner[0], item) for item in value)
    if origin in (Union, types.UnionType):
        return None if value is None else _restore(next(one for one in inner if one is not type(None)), value)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(value)
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise ValueError(f"{value!r} is not {wanted.__name__}")
    return value
