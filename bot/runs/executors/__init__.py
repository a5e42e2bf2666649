"""One executor for each kind of step: how it is done, looked at, and read back."""

from __future__ import annotations

from typing import assert_never

from bot.runs.executor import Executor, Tools
from bot.runs.executors.database import ApplySql, JobsSettle, Lock, Requeue, SetAutoDeploy, Unlock
from bot.runs.executors.deploy import BuildCommit, DeployAgain, DeploymentArrives, RestartServing, RollBack
from bot.runs.executors.golden_path import IngestBeats, Remove, SampleData, SampleIngested, SampleRows, Upload
from bot.runs.executors.scale import Scale, Start, Stop, Stopped
from bot.runs.executors.soak import WatchWhileSoaking
from bot.runs.executors.verify import (
    ApiHealthy,
    DatabaseReady,
    HeartbeatsAppear,
    NoOrphanedJobs,
    NothingRuns,
    SchemaHead,
    ShaReported,
    StartupLogged,
    WorkersHealthy,
)
from playbooks import steps
from playbooks.model import Risk


def executor_of(step: steps.Step, tools: Tools) -> Executor:  # noqa: C901 - one line a kind
    """What carries this step out."""
    match step:
        case steps.CheckDatabaseReady():
            return DatabaseReady(tools, step)
        case steps.CheckWorkersHealthy():
            return WorkersHealthy(tools, step)
        case steps.ScaleService():
            return Scale(tools, step)
        case steps.StopService():
            return Stop(tools, step, unseen_too=tools.run.risk == Risk.BREAK_GLASS)
        case steps.StartService():
            return Start(tools, step)
        case steps.AwaitStopped():
            return Stopped(tools, step)
        case steps.FreezeAutoDeploy() | steps.UnfreezeAutoDeploy():
            return SetAutoDeploy(tools, step)
        case steps.RollBackDeployment():
            return RollBack(tools, step)
        case steps.DeployCommit():
            return BuildCommit(tools, step)
        case steps.RestartDeployment():
            return RestartServing(tools, step)
        case steps.RedeployDeployment():
            return DeployAgain(tools, step)
        case steps.AwaitDeployment():
            return DeploymentArrives(tools, step)
        case steps.VerifySha():
            return ShaReported(tools, step)
        case steps.VerifyHeartbeats():
            return HeartbeatsAppear(tools, step)
        case steps.VerifyStartupLog():
            return StartupLogged(tools, step)
        case steps.VerifyApiHealth():
            return ApiHealthy(tools, step)
        case steps.VerifyNoOrphanedJobs():
            return NoOrphanedJobs(tools, step)
        case steps.Soak():
            return WatchWhileSoaking(tools, step)
        case steps.RequeueJobs():
            return Requeue(tools, step)
        case steps.VerifyJobsSettled():
            return JobsSettle(tools, step)
        case steps.LockService():
            return Lock(tools, step)
        case steps.UnlockService():
            return Unlock(tools, step)
        case steps.VerifyNothingRuns():
            return NothingRuns(tools, step)
        case steps.ApplySqlFile():
            return ApplySql(tools, step)
        case steps.VerifySchemaHead():
            return SchemaHead(tools, step)
        case steps.CheckIngestBeats():
            return IngestBeats(tools, step)
        case steps.UploadSample():
            return Upload(tools, step)
        case steps.AwaitSample():
            return SampleIngested(tools, step)
        case steps.VerifySampleRows():
            return SampleRows(tools, step)
        case steps.VerifySampleData():
            return SampleData(tools, step)
        case steps.RemoveSample():
            return Remove(tools, step)
        case _:
            assert_never(step)
