"""The facts of a healthy system; a test replaces the fact that it is about."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

from playbooks.health import Facts
from services.domain.database import AppliedMigration, MigrationStatus, ServerFacts
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.health import ApiHealth, BotState, IntakeHealth
from services.domain.jobs import Heartbeat, QueueSnapshot
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
SHA = "a1b2c3d4" + "0" * 32


def serving(service: Service) -> ServiceState:
    deployed_at = NOW - timedelta(hours=3)
    instances = (Instance("i1", "RUNNING"),)
    deployment = Deployment("d1", DeploymentStatus.SUCCESS, deployed_at, commit_sha=SHA, instances=instances)
    link = f"https://railway.com/project/p/service/{service.short}"
    return ServiceState(service, "s1", (deployment,), deployment, replicas_configured=1, link=link)


def beat(kind: WorkerType) -> Heartbeat:
    return Heartbeat(f"{kind}-1", kind, "running", NOW, NOW, SHA[:8])


HEALTHY = Facts(
    environment="prod",
    as_of=NOW,
    now=NOW,
    stale_after=StaleLimits(timedelta(seconds=300)),
    api=ApiHealth(200, "ok", "prod", SHA[:8], True, NOW, 12),
    intake=IntakeHealth(200, "ok", True, 0, None, 9),
    server=ServerFacts("dragonfly_bot", "db", NOW, "15.8", ("enforcement", "intake", "ops", "public"), (), "session"),
    migrations=MigrationStatus((AppliedMigration("20251201000000", "roles", NOW, "ab"),), (), (), ()),
    heartbeats=(beat(WorkerType.INGEST), beat(WorkerType.ENFORCEMENT)),
    queue=QueueSnapshot(NOW, 0, None, 0, 0, 0),
    services={service: serving(service) for service in RUNBOOK.services},
    expected=dict.fromkeys(RUNBOOK.worker_types, 1),
    bot=BotState(SHA, NOW, connected=True, leader=True),
    system=RUNBOOK,
)


# The variables of a service that the runbook requires.
PROJECT, OTHER = "qzkfdmwxprlvyhtj", "nbgcsutaeiokxqzw"
PASSWORD = "canary-of-the-password"


def key(project: str, role: str = "service_role") -> str:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part({'ref': project, 'role': role})}.{'canarysignature' * 4}"


def dsn(project: str, port: int = 5432) -> str:
    return f"postgresql://dragonfly_app.{project}:{PASSWORD}@aws-0-eu.pooler.supabase.com:{port}/postgres"


VARIABLES = {
    "SUPABASE_MODE": "prod",
    "ENVIRONMENT": "prod",
    "SUPABASE_URL": f"https://{PROJECT}.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": key(PROJECT),
    "SUPABASE_DB_URL": dsn(PROJECT),
    "DRAGONFLY_API_KEY": "df_prod_canary",
    "OPENAI_API_KEY": "sk-canary",
}
