"""What each step of a plan does, in one line of plain words; views escape it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from playbooks._steps import (
    ApplySqlFile,
    AwaitDeployment,
    AwaitSample,
    AwaitStopped,
    CheckDatabaseReady,
    CheckIngestBeats,
    CheckWorkersHealthy,
    DeployCommit,
    FreezeAutoDeploy,
    LockService,
    RedeployDeployment,
    RemoveSample,
    RequeueJobs,
    RestartDeployment,
    RollBackDeployment,
    ScaleService,
    Soak,
    StartService,
    Step,
    StopService,
    UnfreezeAutoDeploy,
    UnlockService,
    UploadSample,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyJobsSettled,
    VerifyNoOrphanedJobs,
    VerifyNothingRuns,
    VerifySampleData,
    VerifySampleRows,
    VerifySchemaHead,
    VerifySha,
    VerifyStartupLog,
    decode_step,
)
from services.domain.services import Service
from services.domain.sha import short_sha
from services.domain.words import counted


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
            return f"Roll {service.short} back to {short_sha(sha)}, with its variables of then"
        case DeployCommit(service, sha):
            return f"Build and deploy {short_sha(sha)} to {service.short}"
        case RestartDeployment(service):
            return f"Restart what serves {service.short}"
        case RedeployDeployment(service):
            return f"Deploy what serves {service.short} again, with the variables of now"
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
            return "Check that an ingest worker beats"
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


def _workers_beat(service: Service, expected: int) -> str:
    return f"{counted(expected, 'worker')} of {service.short} {'beats' if expected == 1 else 'beat'}"
