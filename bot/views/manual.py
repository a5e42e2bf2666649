"""A plan as the steps that a person takes by hand, in Railway's dashboard and with psql, as the runbook does.

For when Slack, where changes are approved, or the database, where runs are kept, is away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.commands._contract import Answer
from bot.views.blocks import context, section, sections
from bot.views.message import fit_message
from bot.views.plan import LINE_LIMIT, plan_lines
from bot.views.steps import step_words
from bot.views.text import escape
from playbooks._contract import Plan, Status, encode_plan
from playbooks._steps import (
    ApplySqlFile,
    AwaitDeployment,
    AwaitStopped,
    CheckDatabaseReady,
    CheckWorkersHealthy,
    DeployCommit,
    FreezeAutoDeploy,
    LockService,
    RedeployDeployment,
    RequeueJobs,
    RestartDeployment,
    RollBackDeployment,
    ScaleService,
    Soak,
    StartService,
    Step,
    StopService,
    UnfreezeAutoDeploy,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNoOrphanedJobs,
    VerifyNothingRuns,
    VerifySchemaHead,
    VerifySha,
    VerifyStartupLog,
)
from services.domain.services import Service
from services.domain.sha import short_sha

_BEATS = "SELECT worker_id, status, git_sha, last_heartbeat_at FROM ops.worker_heartbeats ORDER BY 4 DESC LIMIT 20;"
_PENDING = "SELECT count(*) FROM ops.job_queue WHERE status = 'pending';"
_PROCESSING = "SELECT id, locked_by, locked_at FROM ops.job_queue WHERE status = 'processing';"
_ENDED = (
    "SELECT date_trunc('minute', updated_at), status, count(*) FROM ops.job_queue "
    "WHERE updated_at > now() - interval '10 minutes' GROUP BY 1, 2 ORDER BY 1 DESC;"
)
_HEAD = "SELECT version, name FROM supabase_migrations.schema_migrations ORDER BY version DESC LIMIT 5;"
_WORKERS_STOP = "all instances REMOVED, EXITED or STOPPED"


def manual_answer(plan: Plan, why: str, links: Mapping[Service, str]) -> Answer:
    """Why nothing was done, and how to do it by hand. `links`: the services' pages in Railway, as far as known."""
    first = f"🔴 *Nothing was done*: {escape(why, limit=LINE_LIMIT)}. *By hand:* {escape(plan.title, limit=LINE_LIMIT)}"
    lines = [f"{n}. {_line(step)}" for n, step in enumerate(plan.steps, start=1)]
    named = [service for service in Service if service in plan.services and service in links]
    pages = [f"{service.value}: {escape(links[service], limit=LINE_LIMIT)}" for service in named]
    blocks = [
        section(first),
        *sections(plan_lines(plan.impact, plan.warnings, plan.undo)),
        *sections([*pages, *lines]),
        context("nobody has approved this: tell the others what you do, and why"),
    ]
    data = encode_plan(plan) | {"why": why, "by_hand": [by_hand(step) or step_words(step) for step in plan.steps]}
    return Answer(*fit_message(first, blocks), data, Status.FAIL, private=True)


def _line(step: Step) -> str:
    told, how = escape(step_words(step), limit=LINE_LIMIT), by_hand(step)
    return f"{told}\n      {escape(how, limit=LINE_LIMIT)}" if how else told


def by_hand(step: Step) -> str | None:
    """Where to click or what to type; None where the step's own words say it."""
    return next(_in_railway(step), None) or next(_in_the_shell(step), None) or next(_with_psql(step), None)


def _in_railway(step: Step) -> Iterator[str]:  # noqa: C901 - one line a kind
    match step:
        case ScaleService(service, _, to):
            yield f"Railway → {service.value} → Settings → Replicas → {to}"
        case StopService(service, deployment_id) | RestartDeployment(service, deployment_id):
            word = "Remove" if isinstance(step, StopService) else "Restart"
            yield f"Railway → {service.value} → Deployments → {deployment_id} → {word}"
        case StartService(service, deployment_id, to):
            yield f"Railway → {service.value} → Settings → Replicas → {to}; Deployments → {deployment_id} → Redeploy"
        case RedeployDeployment(service, deployment_id):
            yield f"Railway → {service.value} → Deployments → {deployment_id} → Redeploy"
        case RollBackDeployment(service, _, to, sha):
            yield f"Railway → {service.value} → Deployments → {to} ({short_sha(sha)}) → Rollback"
        case FreezeAutoDeploy(service):
            yield f"Railway → {service.value} → Settings → Source → switch automatic deployments off"
        case UnfreezeAutoDeploy(service):
            yield f"Railway → {service.value} → Settings → Source → switch automatic deployments on"
        case AwaitDeployment(service):
            yield f"Railway → {service.value} → Deployments: the newest one is SUCCESS"
        case AwaitStopped(service):
            yield f"Railway → {service.value} → Deployments: {_WORKERS_STOP}"


def _in_the_shell(step: Step) -> Iterator[str]:
    match step:
        case DeployCommit(service, sha):
            yield f"git checkout {sha} && railway up --service {service.value}"
        case VerifySha(Service.API, sha):
            yield f"curl -s $DRAGONFLY_API_BASE/api/health | jq .git_sha  → {short_sha(sha)}"
        case VerifyApiHealth():
            yield "curl -s $DRAGONFLY_API_BASE/api/health  → status ok"
        case VerifyStartupLog(service):
            yield f"railway logs --service {service.value}"
        case ApplySqlFile(version):
            forget = f"DELETE FROM supabase_migrations.schema_migrations WHERE version = '{version}'"  # noqa: S608 - shown
            file = f"sql/rollbacks/{version}_rollback.sql"
            yield f'psql $DRAGONFLY_ADMIN_DB_URL -v ON_ERROR_STOP=1 -1 -f {file} -c "{forget}"'
        case LockService(service):
            yield f"Tell everybody not to deploy {service.value}"


def _with_psql(step: Step) -> Iterator[str]:
    match step:
        case CheckDatabaseReady():
            yield _PENDING
        case CheckWorkersHealthy() | VerifyHeartbeats() | VerifySha() | VerifyNothingRuns():
            yield _BEATS
        case VerifyNoOrphanedJobs():
            yield _PROCESSING
        case Soak():
            yield _ENDED
        case RequeueJobs(job_ids):
            ids = ",".join(job_ids)
            yield f"SELECT ops.requeue_jobs('{{{ids}}}'::uuid[], interval '5 minutes');"
        case VerifySchemaHead():
            yield _HEAD
