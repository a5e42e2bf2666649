"""One executor for each kind of step: how it is done, looked at, and read back."""

from __future__ import annotations

from typing import assert_never

from bot.runs.executors.auto_deploy import SetAutoDeploy
from bot.runs.executors.checking import DatabaseReady, NoOrphanedJobs, NothingRuns, SchemaHead, WorkersHealthy
from bot.runs.executors.deploying import BuildCommit, DeployAgain, DeploymentArrives, RestartServing, RollBack
from bot.runs.executors.golden_path import IngestBeats, Remove, SampleData, SampleIngested, SampleRows, Upload
from bot.runs.executors.jobs import JobsSettle, Requeue
from bot.runs.executors.locks import Lock, Unlock
from bot.runs.executors.proving import ApiHealthy, HeartbeatsAppear, ShaReported, StartupLogged
from bot.runs.executors.scaling import Scale
from bot.runs.executors.schema import ApplySql
from bot.runs.executors.soaking import WatchWhileSoaking
from bot.runs.executors.stopping import Start, Stop, Stopped
from bot.runs.tools import Executor, Tools
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
)


def executor_of(step: Step, tools: Tools) -> Executor:  # noqa: C901 - one line a kind
    """What carries this step out."""
    match step:
        case CheckDatabaseReady():
            return DatabaseReady(tools)
        case CheckWorkersHealthy():
            return WorkersHealthy(tools, step)
        case ScaleService():
            return Scale(tools, step)
        case StopService():
            return Stop(tools, step)
        case StartService():
            return Start(tools, step)
        case AwaitStopped():
            return Stopped(tools, step)
        case FreezeAutoDeploy():
            return SetAutoDeploy(tools, step.service, enabled=False)
        case UnfreezeAutoDeploy():
            return SetAutoDeploy(tools, step.service, enabled=True)
        case RollBackDeployment():
            return RollBack(tools, step)
        case DeployCommit():
            return BuildCommit(tools, step)
        case RestartDeployment():
            return RestartServing(tools, step)
        case RedeployDeployment():
            return DeployAgain(tools, step)
        case AwaitDeployment():
            return DeploymentArrives(tools, step)
        case VerifySha():
            return ShaReported(tools, step)
        case VerifyHeartbeats():
            return HeartbeatsAppear(tools, step)
        case VerifyStartupLog():
            return StartupLogged(tools, step)
        case VerifyApiHealth():
            return ApiHealthy(tools, step)
        case VerifyNoOrphanedJobs():
            return NoOrphanedJobs(tools, step)
        case Soak():
            return WatchWhileSoaking(tools, step)
        case RequeueJobs():
            return Requeue(tools, step)
        case VerifyJobsSettled():
            return JobsSettle(tools, step)
        case LockService():
            return Lock(tools, step)
        case UnlockService():
            return Unlock(step)
        case VerifyNothingRuns():
            return NothingRuns(tools, step)
        case ApplySqlFile():
            return ApplySql(tools, step)
        case VerifySchemaHead():
            return SchemaHead(tools, step)
        case CheckIngestBeats():
            return IngestBeats(tools)
        case UploadSample():
            return Upload(tools, step)
        case AwaitSample():
            return SampleIngested(tools, step)
        case VerifySampleRows():
            return SampleRows(tools, step)
        case VerifySampleData():
            return SampleData(tools, step)
        case RemoveSample():
            return Remove(tools, step)
        case _:
            assert_never(step)
