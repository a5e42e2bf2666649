"""The executors, one per kind of step: each sends, observes and reads back its step. The only match over all kinds is
here."""

from __future__ import annotations

from typing import assert_never

from bot.runs.executor import Executor, Tools
from bot.runs.executors import database, deploy, golden_path, scale, soak, verify
from playbooks import steps
from playbooks.model import Risk


def executor_of(step: steps.Step, tools: Tools) -> Executor:  # noqa: C901 - one line per kind
    """Return the executor of this step."""
    match step:
        case steps.CheckDatabaseReady():
            return verify.DatabaseReady(tools, step)
        case steps.CheckWorkersHealthy():
            return verify.WorkersHealthy(tools, step)
        case steps.ScaleService():
            return scale.Scale(tools, step)
        case steps.StopService():
            return scale.Stop(tools, step, also_unknown=tools.run.risk == Risk.BREAK_GLASS)
        case steps.StartService():
            return scale.Start(tools, step)
        case steps.AwaitStopped():
            return scale.Stopped(tools, step)
        case steps.FreezeAutoDeploy() | steps.UnfreezeAutoDeploy():
            return database.SetAutoDeploy(tools, step)
        case steps.RollBackDeployment():
            return deploy.RollBack(tools, step)
        case steps.DeployCommit():
            return deploy.BuildCommit(tools, step)
        case steps.RestartDeployment():
            return deploy.RestartServing(tools, step)
        case steps.RedeployDeployment():
            return deploy.DeployAgain(tools, step)
        case steps.AwaitDeployment():
            return deploy.DeploymentArrives(tools, step)
        case steps.VerifySha():
            return verify.ShaReported(tools, step)
        case steps.VerifyHeartbeats():
            return verify.HeartbeatsAppear(tools, step)
        case steps.VerifyStartupLog():
            return verify.StartupLogged(tools, step)
        case steps.VerifyApiHealth():
            return verify.ApiHealthy(tools, step)
        case steps.VerifyNoOrphanedJobs():
            return verify.NoOrphanedJobs(tools, step)
        case steps.Soak():
            return soak.WaitWhileSoaking(tools, step)
        case steps.RequeueJobs():
            return database.Requeue(tools, step)
        case steps.VerifyJobsSettled():
            return database.JobsSettle(tools, step)
        case steps.LockService():
            return database.Lock(tools, step)
        case steps.UnlockService():
            return database.Unlock(tools, step)
        case steps.VerifyNothingRuns():
            return verify.NothingRuns(tools, step)
        case steps.ApplySqlFile():
            return database.ApplySql(tools, step)
        case steps.VerifySchemaHead():
            return verify.SchemaHead(tools, step)
        case steps.CheckIngestBeats():
            return golden_path.IngestBeats(tools, step)
        case steps.UploadSample():
            return golden_path.Upload(tools, step)
        case steps.AwaitSample():
            return golden_path.SampleIngested(tools, step)
        case steps.VerifySampleRows():
            return golden_path.SampleRows(tools, step)
        case steps.VerifySampleData():
            return golden_path.SampleData(tools, step)
        case steps.RemoveSample():
            return golden_path.Remove(tools, step)
        case _:
            assert_never(step)
