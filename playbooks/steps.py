"""The steps of a plan: a closed union, its stored form, its description, and its manual equivalent.

Adding a kind fails type checking until every `match` over `Step` handles it. A step carries what it rests on (`from_`,
the serving deployment, the schema's head), so that acting on an outdated plan is noticed before anything happens.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any, Union, assert_never

from services.domain.runs import RunStep, StepState
from services.domain.services import Service, short_sha
from services.domain.text import counted


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


_CLEAN_UPS = (RemoveSample,)
_KINDS = frozenset(one.__name__ for one in _CLEAN_UPS)


def is_clean_up(step: Step) -> bool:
    """Whether the step is carried out however the run ends before it."""
    return isinstance(step, _CLEAN_UPS)


def is_left_to_clean_up(steps: Sequence[RunStep]) -> bool:
    """Whether what the run may have brought is still to be taken away."""
    return any(step.state is StepState.PENDING and step.step.get("kind") in _KINDS for step in steps)


FORMAT = 1  # of stored steps; a replica claims only runs whose format and kinds it knows


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


_BEATS = "SELECT worker_id, status, git_sha, last_heartbeat_at FROM ops.worker_heartbeats ORDER BY 4 DESC LIMIT 20;"
_PENDING = "SELECT count(*) FROM ops.job_queue WHERE status = 'pending';"
_PROCESSING = "SELECT id, locked_by, locked_at FROM ops.job_queue WHERE status = 'processing';"
_ENDED = (
    "SELECT date_trunc('minute', updated_at), status, count(*) FROM ops.job_queue "
    "WHERE updated_at > now() - interval '10 minutes' GROUP BY 1, 2 ORDER BY 1 DESC;"
)
_HEAD = "SELECT version, name FROM supabase_migrations.schema_migrations ORDER BY version DESC LIMIT 5;"


def stored_step_words(stored: Mapping[str, Any]) -> str:
    """The same for a step as it is stored; one of a newer version of the bot is called by its kind."""
    try:
        return step_words(decode_step(stored))
    except ValueError:
        return f"{stored.get('kind', 'a step')} (a newer version of the bot knows it)"


def step_words(step: Step) -> str:  # noqa: C901 - one line a kind; splitting it hides a missing one
    """ "Set ingest from 1 to 2 replicas"."""
    match step:
        case CheckDatabaseReady():
            return "Check that the database answers and the queue can be read"
        case CheckWorkersHealthy(service, expected):
            return f"Check that {_workers_beat(service, expected)}"
        case ScaleService(service, from_, to):
            return f"Set {service.short} from {from_} to {counted(to, 'replica')}"
        case StopService(service, _, from_):
            return f"Stop {service.short} ({counted(from_, 'replica')}), letting its jobs finish"
        case StartService(service, _, to):
            return f"Start {service.short} again with {counted(to, 'replica')}"
        case AwaitStopped(service, timeout_s):
            return f"Wait until no {service.short} runs any more (at most {timeout_s} s)"
        case FreezeAutoDeploy(service):
            return f"Keep a push to main from deploying {service.short}"
        case UnfreezeAutoDeploy(service):
            return f"Let a push to main deploy {service.short} again"
        case RollBackDeployment(service, _, _, sha):
            return f"Roll {service.short} back to {short_sha(sha)}, including its environment variables at that time"
        case DeployCommit(service, sha):
            return f"Build and deploy {short_sha(sha)} to {service.short}"
        case RestartDeployment(service):
            return f"Restart what runs as {service.short}"
        case RedeployDeployment(service):
            return f"Deploy what runs as {service.short} again, with its current variables"
        case AwaitDeployment(service, timeout_s):
            return f"Wait until Railway calls {service.short} a success (at most {timeout_s} s)"
        case VerifySha(service, sha):
            return f"Prove that {service.short} itself reports {short_sha(sha)}"
        case VerifyHeartbeats(service, expected):
            return f"Prove that {_workers_beat(service, expected)}"
        case VerifyStartupLog(service):
            return f"Find the three startup lines in the log of {service.short}"
        case VerifyApiHealth():
            return "Prove that the API calls itself healthy"
        case VerifyNoOrphanedJobs(service):
            return f"Look for jobs that {service.short} left behind"
        case Soak(service, seconds, fall_back_to):
            return f"Watch {service.short} for {seconds} s; if it gets worse, go back to {fall_back_to}"
        case RequeueJobs(job_ids):
            return f"Put {counted(len(job_ids), 'job')} back into the queue"
        case VerifyJobsSettled(job_ids):
            return f"See that the {counted(len(job_ids), 'job')} do not fail again"
        case LockService(service, reason):
            return f"Lock {service.short} against deploys: {reason}"
        case UnlockService(service):
            return f"Unlock {service.short}"
        case VerifyNothingRuns(services):
            return f"Prove that nothing of {', '.join(one.short for one in services)} runs"
        case ApplySqlFile(version):
            return f"Apply the rollback of migration {version} in one transaction"
        case VerifySchemaHead(version):
            return f"Prove that the newest migration is {version or 'none at all'}"
        case CheckIngestBeats():
            return "Check that an ingest worker is alive"
        case UploadSample():
            return "Upload the test file once, as a marked batch with a case number of this run"
        case AwaitSample(timeout_s):
            return f"Wait until the batch is completed (at most {timeout_s} s)"
        case VerifySampleRows(rows):
            return f"Prove that {counted(rows, 'row')} came in and passed"
        case VerifySampleData():
            return "Run the five SQL verifications"
        case RemoveSample(batch_id):
            return f"Remove the test batch {batch_id or 'again, whatever became of it'}"
        case _:
            assert_never(step)


def by_hand(step: Step) -> str | None:  # noqa: C901 - one line a kind, as above
    """Where to click in Railway's dashboard, or what to type; None where the step's own words say it."""
    match step:
        case CheckDatabaseReady():
            return _PENDING
        case CheckWorkersHealthy() | VerifyHeartbeats() | VerifyNothingRuns():
            return _BEATS
        case ScaleService(service, _, to):
            return f"Railway → {service.value} → Settings → Replicas → {to}"
        case StopService(service, deployment_id):
            return f"Railway → {service.value} → Deployments → {deployment_id} → Remove"
        case StartService(service, deployment_id, to):
            return f"Railway → {service.value} → Settings → Replicas → {to}; Deployments → {deployment_id} → Redeploy"
        case AwaitStopped(service):
            return f"Railway → {service.value} → Deployments: all instances REMOVED, EXITED or STOPPED"
        case FreezeAutoDeploy(service):
            return f"Railway → {service.value} → Settings → Source → switch automatic deployments off"
        case UnfreezeAutoDeploy(service):
            return f"Railway → {service.value} → Settings → Source → switch automatic deployments on"
        case RollBackDeployment(service, _, to, sha):
            return f"Railway → {service.value} → Deployments → {to} ({short_sha(sha)}) → Rollback"
        case DeployCommit(service, sha):
            return f"git checkout {sha} && railway up --service {service.value}"
        case RestartDeployment(service, deployment_id):
            return f"Railway → {service.value} → Deployments → {deployment_id} → Restart"
        case RedeployDeployment(service, deployment_id):
            return f"Railway → {service.value} → Deployments → {deployment_id} → Redeploy"
        case AwaitDeployment(service):
            return f"Railway → {service.value} → Deployments: the newest one is SUCCESS"
        case VerifySha(Service.API, sha):
            return f"curl -s $DRAGONFLY_API_BASE/api/health | jq .git_sha  → {short_sha(sha)}"
        case VerifySha():
            return _BEATS
        case VerifyStartupLog(service):
            return f"railway logs --service {service.value}"
        case VerifyApiHealth():
            return "curl -s $DRAGONFLY_API_BASE/api/health  → status ok"
        case VerifyNoOrphanedJobs():
            return _PROCESSING
        case Soak():
            return _ENDED
        case RequeueJobs(job_ids):
            return f"SELECT ops.requeue_jobs('{{{','.join(job_ids)}}}'::uuid[], interval '5 minutes');"
        case LockService(service):
            return f"Tell everybody not to deploy {service.value}"
        case ApplySqlFile(version):
            forget = f"DELETE FROM supabase_migrations.schema_migrations WHERE version = '{version}'"  # noqa: S608 - shown
            file = f"sql/rollbacks/{version}_rollback.sql"
            return f'psql $DRAGONFLY_ADMIN_DB_URL -v ON_ERROR_STOP=1 -1 -f {file} -c "{forget}"'
        case VerifySchemaHead():
            return _HEAD
        case (
            VerifyJobsSettled()
            | UnlockService()
            | CheckIngestBeats()
            | UploadSample()
            | AwaitSample()
            | VerifySampleRows()
            | VerifySampleData()
            | RemoveSample()
        ):
            return None
        case _:
            assert_never(step)


def _workers_beat(service: Service, expected: int) -> str:
    return f"{counted(expected, 'worker')} of {service.short} {'is' if expected == 1 else 'are'} alive"
