"""The steps of a plan: a closed union of dataclasses.

Each kind describes itself (`describe`), its manual way without the bot (`by_hand`), its undo (`undo`), and whether it
changes something. A new kind fails type checking until `bot.runs.executors` executes it. A step carries the state that
it starts from (`from_`, the serving deployment, the schema's head), so that an outdated plan is noticed before anything
happens.
"""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from services.domain.deployments import SHORT_ID
from services.domain.services import Service, short_sha
from services.domain.text import counted

DEPLOY_S = 300  # an image that exists: pull, start, health check
HEALTH_S = 120
HEARTBEAT_S = 180  # a worker beats every 30 s, and its container takes its time to start
STARTUP_LOG_S = 120

_BEATS = (
    "SELECT worker_id, status, git_sha, last_heartbeat_at FROM ops.worker_heartbeats "
    "ORDER BY last_heartbeat_at DESC LIMIT 20;"
)


class _Step(ABC):
    """The base class of all steps.

    `acts`: it changes something, at most once. Every other step reads, once or until a condition holds or time is up.
    `cleans_up`: it is executed however the run ends before it. `report_name`: its name in the golden path's mission
    report.
    """

    acts: ClassVar[bool] = False
    cleans_up: ClassVar[bool] = False
    report_name: ClassVar[str] = "Step"

    @property
    def touches(self) -> tuple[Service, ...]:
        """The services that the run locks while it runs."""
        return ()

    @abstractmethod
    def describe(self) -> str:
        """The step in plain text: "Set ingest from 1 to 2 replicas"."""

    def by_hand(self) -> str | None:
        """The place in Railway's dashboard, or the text to type; None if the description is enough."""
        return None

    def undo(self) -> tuple[Step, ...]:
        """The steps that undo it after a later one failed without changing anything; none by default."""
        return ()

    def prove_unchanged(self) -> Step | None:
        """A step that proves that this one changed nothing when it failed; None if its progress is unknown."""
        return None


class _Act(_Step):
    acts = True


@dataclass(frozen=True)
class _OfService(_Step):
    service: Service

    @property
    def touches(self) -> tuple[Service, ...]:
        return (self.service,)

    @property
    def page(self) -> str:
        """The service's place in Railway's dashboard."""
        return f"Railway → {self.service.value}"


@dataclass(frozen=True)
class CheckDatabaseReady(_Step):
    """The database answers and the queue can be read (runbook, "Scale 0 → 1", step 2)."""

    def describe(self) -> str:
        return "Check that the database answers and the queue can be read"

    def by_hand(self) -> str:
        return "SELECT count(*) FROM ops.job_queue WHERE status = 'pending';"


@dataclass(frozen=True)
class CheckWorkersHealthy(_OfService):
    """As many workers of the service beat as are configured (runbook, "Scale 1 → N", step 1)."""

    expected: int

    def describe(self) -> str:
        return f"Check that {_workers_beat(self.service, self.expected)}"

    def by_hand(self) -> str:
        return _BEATS


@dataclass(frozen=True)
class ScaleService(_OfService, _Act):
    """Set the configured replicas. Absolute: never "one more"."""

    from_: int
    to: int

    def describe(self) -> str:
        return f"Set {self.service.short} from {self.from_} to {counted(self.to, 'replica')}"

    def by_hand(self) -> str:
        return f"{self.page} → Settings → Replicas → {self.to}"


@dataclass(frozen=True)
class StopService(_OfService, _Act):
    """Stop the running deployment, which is how a service gets to zero. `from_`: the replicas that ran."""

    deployment_id: str
    from_: int

    def describe(self) -> str:
        return f"Stop {self.service.short} ({counted(self.from_, 'replica')}), letting its jobs finish"

    def by_hand(self) -> str:
        return f"{self.page} → Deployments → {self.deployment_id} → Remove"

    def undo(self) -> tuple[Step, ...]:
        return start(self.service, self.deployment_id, self.from_)


@dataclass(frozen=True)
class StartService(_OfService, _Act):
    """Start a stopped service again by redeploying that deployment, at `to` replicas."""

    deployment_id: str
    to: int

    def describe(self) -> str:
        return f"Start {self.service.short} again with {counted(self.to, 'replica')}"

    def by_hand(self) -> str:
        return f"{self.page} → Settings → Replicas → {self.to}; Deployments → {self.deployment_id} → Redeploy"


@dataclass(frozen=True)
class AwaitStopped(_OfService):
    """No instance of the service runs any more; `timeout_s` covers the draining time."""

    timeout_s: int

    def describe(self) -> str:
        return f"Wait until every {self.service.short} process has ended (at most {self.timeout_s} s)"

    def by_hand(self) -> str:
        return f"{self.page} → Deployments: all instances REMOVED, EXITED or STOPPED"


@dataclass(frozen=True)
class FreezeAutoDeploy(_OfService, _Act):
    """Turn auto-deploy off, so that no push to main overwrites this run's result. Best effort: its failure is shown and
    never blocks."""

    def describe(self) -> str:
        return f"Turn off auto-deploy of {self.service.short}"

    def by_hand(self) -> str:
        return f"{self.page} → Settings → Source → switch automatic deployments off"


@dataclass(frozen=True)
class UnfreezeAutoDeploy(_OfService, _Act):
    """Turn auto-deploy on again, so that a push to main deploys."""

    def describe(self) -> str:
        return f"Turn on auto-deploy of {self.service.short}"

    def by_hand(self) -> str:
        return f"{self.page} → Settings → Source → switch automatic deployments on"


@dataclass(frozen=True)
class RollBackDeployment(_OfService, _Act):
    """Go back to an earlier deployment: its image and its variables. `from_` serves now."""

    from_: str
    to: str
    sha: str

    def describe(self) -> str:
        target = short_sha(self.sha) if self.sha else f"deployment {self.to[:SHORT_ID]}"
        return f"Roll {self.service.short} back to {target}, including its environment variables at that time"

    def by_hand(self) -> str:
        commit = short_sha(self.sha) if self.sha else "no commit"
        return f"{self.page} → Deployments → {self.to} ({commit}) → Rollback"


@dataclass(frozen=True)
class DeployCommit(_OfService, _Act):
    """Build and deploy one commit. `from_` is the deployment that serves now, None if there is none."""

    sha: str
    from_: str | None

    def describe(self) -> str:
        return f"Build and deploy {short_sha(self.sha)} to {self.service.short}"

    def by_hand(self) -> str:
        return f"git checkout {self.sha} && railway up --service {self.service.value}"


@dataclass(frozen=True)
class RestartDeployment(_OfService, _Act):
    """Restart the serving deployment: same deployment, no build."""

    deployment_id: str

    def describe(self) -> str:
        return f"Restart the active deployment of {self.service.short}"

    def by_hand(self) -> str:
        return f"{self.page} → Deployments → {self.deployment_id} → Restart"


@dataclass(frozen=True)
class RedeployDeployment(_OfService, _Act):
    """Deploy the serving deployment's code again, with the current variables."""

    deployment_id: str

    def describe(self) -> str:
        return f"Redeploy the active deployment of {self.service.short} with the current variables"

    def by_hand(self) -> str:
        return f"{self.page} → Deployments → {self.deployment_id} → Redeploy"


@dataclass(frozen=True)
class AwaitDeployment(_OfService):
    """The deployment that this run's last act on the service made, or restarted, is SUCCESS."""

    timeout_s: int

    def describe(self) -> str:
        return f"Wait until Railway reports {self.service.short} as SUCCESS (at most {self.timeout_s} s)"

    def by_hand(self) -> str:
        return f"{self.page} → Deployments: the newest one is SUCCESS"


@dataclass(frozen=True)
class VerifySha(_OfService):
    """The process itself reports the commit: `/api/health` for the API, heartbeats for a worker."""

    sha: str
    timeout_s: int

    def describe(self) -> str:
        return f"Verify that {self.service.short} itself reports {short_sha(self.sha)}"

    def by_hand(self) -> str:
        if self.service.worker_type is not None:
            return _BEATS
        return f"curl -s $DRAGONFLY_API_BASE/api/health | jq .git_sha  → {short_sha(self.sha)}"


@dataclass(frozen=True)
class VerifyHeartbeats(_OfService):
    """Exactly `expected` workers of the service beat, with beats from after the last act."""

    expected: int
    timeout_s: int

    def describe(self) -> str:
        return f"Verify that {_workers_beat(self.service, self.expected)}"

    def by_hand(self) -> str:
        return _BEATS


@dataclass(frozen=True)
class VerifyStartupLog(_OfService):
    """The log has the runbook's three startup lines ("Scale 0 → 1", step 4)."""

    timeout_s: int

    def describe(self) -> str:
        return f"Verify the three startup lines in the log of {self.service.short}"

    def by_hand(self) -> str:
        return f"railway logs --service {self.service.value}"


@dataclass(frozen=True)
class VerifyApiHealth(_Step):
    """`/api/health` is ok."""

    timeout_s: int
    report_name = "Health Check"

    def describe(self) -> str:
        return "Verify that /api/health reports ok"

    def by_hand(self) -> str:
        return "curl -s $DRAGONFLY_API_BASE/api/health  → status ok"


@dataclass(frozen=True)
class VerifyNoOrphanedJobs(_OfService):
    """No `processing` job is without a living worker; orphaned ones are listed with a button to requeue."""

    def describe(self) -> str:
        return f"Check for orphaned jobs of {self.service.short}"

    def by_hand(self) -> str:
        return "SELECT id, locked_by, locked_at FROM ops.job_queue WHERE status = 'processing';"


@dataclass(frozen=True)
class Soak(_OfService):
    """Watch the runbook's checks for `seconds`, compared with the 10 min before; a breach scales to `fall_back_to`."""

    seconds: int
    fall_back_to: int

    def describe(self) -> str:
        back = f"if it gets worse, go back to {self.fall_back_to}"
        return f"Watch {self.service.short} for {self.seconds} s; {back}"

    def by_hand(self) -> str:
        return (
            "SELECT date_trunc('minute', updated_at), status, count(*) FROM ops.job_queue "
            "WHERE updated_at > now() - interval '10 minutes' GROUP BY 1, 2 ORDER BY 1 DESC;"
        )


@dataclass(frozen=True)
class RequeueJobs(_Act):
    """Set jobs back to pending, attempts kept. `job_ids` in order; the playbook limits their number."""

    job_ids: tuple[str, ...]

    def describe(self) -> str:
        return f"Put {counted(len(self.job_ids), 'job')} back into the queue"

    def by_hand(self) -> str:
        return f"SELECT ops.requeue_jobs('{{{','.join(self.job_ids)}}}'::uuid[], interval '5 minutes');"


@dataclass(frozen=True)
class VerifyJobsSettled(_Step):
    """The requeued jobs were claimed and do not fail again within `timeout_s`."""

    job_ids: tuple[str, ...]
    timeout_s: int

    def describe(self) -> str:
        count = len(self.job_ids)
        return f"Verify that {'the job does' if count == 1 else f'the {count} jobs do'} not fail again"


@dataclass(frozen=True)
class LockService(_OfService, _Act):
    """Refuse deploys of the service until `unlock`; `reason` is shown with each refusal."""

    reason: str

    def describe(self) -> str:
        return f"Lock {self.service.short} against deploys: {self.reason}"

    def by_hand(self) -> str:
        return f"Tell the team not to deploy {self.service.value}"


@dataclass(frozen=True)
class UnlockService(_OfService, _Act):
    """Lift the service's lock."""

    def describe(self) -> str:
        return f"Unlock {self.service.short}"


@dataclass(frozen=True)
class VerifyNothingRuns(_Step):
    """No instance of these services runs, and none of their workers beats."""

    services: tuple[Service, ...]

    @property
    def touches(self) -> tuple[Service, ...]:
        return self.services

    def describe(self) -> str:
        return f"Verify that no process of {' and '.join(one.short for one in self.services)} runs"

    def by_hand(self) -> str:
        return _BEATS


@dataclass(frozen=True)
class ApplySqlFile(_Act):
    """Apply a prepared rollback in one transaction with a lock timeout: if it fails, all of it is rolled back.

    `checksum` is the file's SHA-256, `head` the schema's head before.
    """

    version: str
    checksum: str
    head: str

    def describe(self) -> str:
        return f"Apply the rollback of migration {self.version} in one transaction"

    def by_hand(self) -> str:
        forget = f"DELETE FROM supabase_migrations.schema_migrations WHERE version = '{self.version}'"  # noqa: S608 - shown
        file = f"sql/rollbacks/{self.version}_rollback.sql"
        return f'psql $DRAGONFLY_ADMIN_DB_URL -v ON_ERROR_STOP=1 -1 -f {file} -c "{forget}"'

    def prove_unchanged(self) -> Step:
        return VerifySchemaHead(self.head)


@dataclass(frozen=True)
class VerifySchemaHead(_Step):
    """The newest applied migration is this one; None: none is applied."""

    version: str | None

    def describe(self) -> str:
        return f"Verify that the newest migration is {self.version or 'none at all'}"

    def by_hand(self) -> str:
        return "SELECT version, name FROM supabase_migrations.schema_migrations ORDER BY version DESC LIMIT 5;"


@dataclass(frozen=True)
class CheckIngestBeats(_Step):
    """At least one ingest worker beats (runbook, "Golden Path Validation", prerequisites)."""

    report_name = "Prerequisites"

    def describe(self) -> str:
        return "Check that an ingest worker is alive"


@dataclass(frozen=True)
class UploadSample(_Act):
    """Upload our test file through the API: once, as a marked batch, with a case number of this run. `checksum` is the
    SHA-256 of the file in the repository."""

    checksum: str
    report_name = "CSV Upload"

    def describe(self) -> str:
        return "Upload the test file once, as a marked batch with a case number of this run"


@dataclass(frozen=True)
class UploadKeptSample(UploadSample):
    """The same for a system without a mark, which removes no rows."""

    def describe(self) -> str:
        return "Upload the test file once, with a file name and a case number of this run; its rows stay"


@dataclass(frozen=True)
class AwaitSample(_Step):
    """The ingest worker has completed the batch that this run uploaded."""

    timeout_s: int
    report_name = "Ingest Poll"

    def describe(self) -> str:
        return f"Wait until the batch is completed (at most {self.timeout_s} s)"


@dataclass(frozen=True)
class VerifySampleRows(_Step):
    """Every row of the batch passed, and it has as many rows as the file."""

    rows: int
    report_name = "Snapshot"

    def describe(self) -> str:
        return f"Verify that {counted(self.rows, 'row')} came in and passed"


@dataclass(frozen=True)
class VerifySampleData(_Step):
    """The runbook's five SQL verifications hold for this run's batch."""

    rows: int
    report_name = "SQL Verification"

    def describe(self) -> str:
        return "Run the five SQL verifications"


@dataclass(frozen=True)
class VerifyKeptSample(VerifySampleData):
    """The batch and its rows are in the database, for an upload without workers."""

    def describe(self) -> str:
        return "Verify the batch and its rows in the database"


@dataclass(frozen=True)
class RemoveSample(_Act):
    """Remove a marked batch with everything derived from it. None: the one of this run, whatever its state."""

    batch_id: str | None
    cleans_up = True
    report_name = "Cleanup"

    def describe(self) -> str:
        return f"Remove the test batch {self.batch_id or 'again, whatever its state'}"


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
    | UploadKeptSample
    | AwaitSample
    | VerifySampleRows
    | VerifySampleData
    | VerifyKeptSample
    | RemoveSample
)

STEPS: Mapping[str, type[Step]] = {kind.__name__: kind for kind in typing.get_args(Step)}


def start(service: Service, deployment_id: str, to: int) -> tuple[Step, ...]:
    """Start a stopped service at `to` replicas of that deployment, and verify that it comes up."""
    return (StartService(service, deployment_id, to), AwaitDeployment(service, DEPLOY_S), *come_up(service, to))


def come_up(service: Service, count: int) -> tuple[Step, ...]:
    """Verify a started service: the runbook's startup lines and the first heartbeats; the API's health."""
    logged = (VerifyStartupLog(service, STARTUP_LOG_S),) if service.worker_type else ()
    return (*logged, alive(service, count))


def alive(service: Service, count: int) -> Step:
    """Verify that exactly `count` workers beat, or that the API reports ok."""
    if service.worker_type is None:
        return VerifyApiHealth(HEALTH_S)
    return VerifyHeartbeats(service, count, HEARTBEAT_S)


def _workers_beat(service: Service, expected: int) -> str:
    return f"{counted(expected, 'worker')} of {service.short} {'is' if expected == 1 else 'are'} alive"
