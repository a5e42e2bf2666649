"""What each step of a plan does in one line of plain words, and how a person does it by hand; views escape both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from playbooks import _steps as steps
from playbooks._encoding import decode_step
from services.domain.services import Service
from services.domain.sha import short_sha
from services.domain.words import counted

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


def step_words(step: steps.Step) -> str:  # noqa: C901 - one line a kind; splitting it hides a missing one
    """ "Set ingest from 1 to 2 replicas"."""
    match step:
        case steps.CheckDatabaseReady():
            return "Check that the database answers and the queue can be read"
        case steps.CheckWorkersHealthy(service, expected):
            return f"Check that {_workers_beat(service, expected)}"
        case steps.ScaleService(service, from_, to):
            return f"Set {service.short} from {from_} to {counted(to, 'replica')}"
        case steps.StopService(service, _, from_):
            return f"Stop {service.short} ({counted(from_, 'replica')}), letting its jobs finish"
        case steps.StartService(service, _, to):
            return f"Start {service.short} again with {counted(to, 'replica')}"
        case steps.AwaitStopped(service, timeout_s):
            return f"Wait until no {service.short} runs any more (at most {timeout_s} s)"
        case steps.FreezeAutoDeploy(service):
            return f"Keep a push to main from deploying {service.short}"
        case steps.UnfreezeAutoDeploy(service):
            return f"Let a push to main deploy {service.short} again"
        case steps.RollBackDeployment(service, _, _, sha):
            return f"Roll {service.short} back to {short_sha(sha)}, including its environment variables at that time"
        case steps.DeployCommit(service, sha):
            return f"Build and deploy {short_sha(sha)} to {service.short}"
        case steps.RestartDeployment(service):
            return f"Restart what runs as {service.short}"
        case steps.RedeployDeployment(service):
            return f"Deploy what runs as {service.short} again, with its current variables"
        case steps.AwaitDeployment(service, timeout_s):
            return f"Wait until Railway calls {service.short} a success (at most {timeout_s} s)"
        case steps.VerifySha(service, sha):
            return f"Prove that {service.short} itself reports {short_sha(sha)}"
        case steps.VerifyHeartbeats(service, expected):
            return f"Prove that {_workers_beat(service, expected)}"
        case steps.VerifyStartupLog(service):
            return f"Find the three startup lines in the log of {service.short}"
        case steps.VerifyApiHealth():
            return "Prove that the API calls itself healthy"
        case steps.VerifyNoOrphanedJobs(service):
            return f"Look for jobs that {service.short} left behind"
        case steps.Soak(service, seconds, fall_back_to):
            return f"Watch {service.short} for {seconds} s; if it gets worse, go back to {fall_back_to}"
        case steps.RequeueJobs(job_ids):
            return f"Put {counted(len(job_ids), 'job')} back into the queue"
        case steps.VerifyJobsSettled(job_ids):
            return f"See that the {counted(len(job_ids), 'job')} do not fail again"
        case steps.LockService(service, reason):
            return f"Lock {service.short} against deploys: {reason}"
        case steps.UnlockService(service):
            return f"Unlock {service.short}"
        case steps.VerifyNothingRuns(services):
            return f"Prove that nothing of {', '.join(one.short for one in services)} runs"
        case steps.ApplySqlFile(version):
            return f"Apply the rollback of migration {version} in one transaction"
        case steps.VerifySchemaHead(version):
            return f"Prove that the newest migration is {version or 'none at all'}"
        case steps.CheckIngestBeats():
            return "Check that an ingest worker is alive"
        case steps.UploadSample():
            return "Upload the test file once, as a marked batch with a case number of this run"
        case steps.AwaitSample(timeout_s):
            return f"Wait until the batch is completed (at most {timeout_s} s)"
        case steps.VerifySampleRows(rows):
            return f"Prove that {counted(rows, 'row')} came in and passed"
        case steps.VerifySampleData():
            return "Run the five SQL verifications"
        case steps.RemoveSample(batch_id):
            return f"Remove the test batch {batch_id or 'again, whatever became of it'}"
        case _:
            assert_never(step)


def by_hand(step: steps.Step) -> str | None:  # noqa: C901 - one line a kind, as above
    """Where to click in Railway's dashboard, or what to type; None where the step's own words say it."""
    match step:
        case steps.CheckDatabaseReady():
            return _PENDING
        case steps.CheckWorkersHealthy() | steps.VerifyHeartbeats() | steps.VerifyNothingRuns():
            return _BEATS
        case steps.ScaleService(service, _, to):
            return f"Railway → {service.value} → Settings → Replicas → {to}"
        case steps.StopService(service, deployment_id):
            return f"Railway → {service.value} → Deployments → {deployment_id} → Remove"
        case steps.StartService(service, deployment_id, to):
            return f"Railway → {service.value} → Settings → Replicas → {to}; Deployments → {deployment_id} → Redeploy"
        case steps.AwaitStopped(service):
            return f"Railway → {service.value} → Deployments: all instances REMOVED, EXITED or STOPPED"
        case steps.FreezeAutoDeploy(service):
            return f"Railway → {service.value} → Settings → Source → switch automatic deployments off"
        case steps.UnfreezeAutoDeploy(service):
            return f"Railway → {service.value} → Settings → Source → switch automatic deployments on"
        case steps.RollBackDeployment(service, _, to, sha):
            return f"Railway → {service.value} → Deployments → {to} ({short_sha(sha)}) → Rollback"
        case steps.DeployCommit(service, sha):
            return f"git checkout {sha} && railway up --service {service.value}"
        case steps.RestartDeployment(service, deployment_id):
            return f"Railway → {service.value} → Deployments → {deployment_id} → Restart"
        case steps.RedeployDeployment(service, deployment_id):
            return f"Railway → {service.value} → Deployments → {deployment_id} → Redeploy"
        case steps.AwaitDeployment(service):
            return f"Railway → {service.value} → Deployments: the newest one is SUCCESS"
        case steps.VerifySha(Service.API, sha):
            return f"curl -s $DRAGONFLY_API_BASE/api/health | jq .git_sha  → {short_sha(sha)}"
        case steps.VerifySha():
            return _BEATS
        case steps.VerifyStartupLog(service):
            return f"railway logs --service {service.value}"
        case steps.VerifyApiHealth():
            return "curl -s $DRAGONFLY_API_BASE/api/health  → status ok"
        case steps.VerifyNoOrphanedJobs():
            return _PROCESSING
        case steps.Soak():
            return _ENDED
        case steps.RequeueJobs(job_ids):
            return f"SELECT ops.requeue_jobs('{{{','.join(job_ids)}}}'::uuid[], interval '5 minutes');"
        case steps.LockService(service):
            return f"Tell everybody not to deploy {service.value}"
        case steps.ApplySqlFile(version):
            forget = f"DELETE FROM supabase_migrations.schema_migrations WHERE version = '{version}'"  # noqa: S608 - shown
            file = f"sql/rollbacks/{version}_rollback.sql"
            return f'psql $DRAGONFLY_ADMIN_DB_URL -v ON_ERROR_STOP=1 -1 -f {file} -c "{forget}"'
        case steps.VerifySchemaHead():
            return _HEAD
        case (
            steps.VerifyJobsSettled()
            | steps.UnlockService()
            | steps.CheckIngestBeats()
            | steps.UploadSample()
            | steps.AwaitSample()
            | steps.VerifySampleRows()
            | steps.VerifySampleData()
            | steps.RemoveSample()
        ):
            return None
        case _:
            assert_never(step)


def _workers_beat(service: Service, expected: int) -> str:
    return f"{counted(expected, 'worker')} of {service.short} {'is' if expected == 1 else 'are'} alive"
