"""Can the intake take files? (runbook, "API Health Check", the detailed one)"""

from __future__ import annotations

from playbooks._contract import Finding, NextStep, Status
from playbooks.checks.api import judge_silence
from services.domain.errors import Unavailable
from services.domain.health import IntakeHealth
from services.domain.services import Service

STEP = NextStep("Look at the intake", "intake")


def check(health: IntakeHealth | Unavailable, *, others_answer: bool = False) -> list[Finding]:
    """One finding: `intake.health`. `others_answer` as in `api.Facts`."""
    if isinstance(health, Unavailable):
        return [judge_silence("intake", health, others_answer=others_answer)]
    evidence = {
        "http_status": health.http_status,
        "status": health.status,
        "db_connected": health.db_connected,
        "pending_jobs": health.pending_jobs,
        "elapsed_ms": round(health.elapsed_ms),
    }
    took = f"in {health.elapsed_ms:.0f} ms"
    if health.is_ok:
        return [Finding("intake.health", Status.OK, f"intake ok {took}", "", Service.API, evidence)]
    detail = took if health.db_connected is not False else f"{took}, it does not reach its database"
    title = f"intake answers {health.http_status} with status {health.status}"
    return [Finding("intake.health", Status.FAIL, title, detail, Service.API, evidence, STEP)]
