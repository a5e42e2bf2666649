"""The faults that the tests plant, at least one per rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from bot.config.alerts_file import default_rules
from services.domain.alerts import Severity
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.integration.bot.alerts.planting import (
    Act,
    Scene,
    answers,
    api_silent,
    busy,
    climbing,
    connected,
    connections_above,
    contended,
    crashed,
    degraded,
    deployed,
    ended,
    everybody_silent,
    failed,
    frozen,
    frozen_and_locked,
    gave_up,
    intake_degraded,
    latest,
    locked,
    nothing,
    on_call_for,
    processing,
    railway_away,
    restarting,
    runs_sha,
    silent,
    slow,
    sql,
    starting,
    starting_up,
    starts,
    unclaimed,
    waiting,
)
from tests.integration.bot.conftest import SHA, Outside

RESTART = ("restart ingest", "rollback ingest")
MEND_API = ("restart api", "rollback api")
PAGE = Severity.PAGE
FAILED = ("failed-jobs 1h", "queue")

WITHOUT_BYPASS = "ALTER ROLE dragonfly_bot NOBYPASSRLS"
REQUEUE = "FUNCTION ops.requeue_jobs(uuid[], interval)"


@dataclass(frozen=True)
class Fault:
    """A fault and the alert it causes: `title` is the beginning of the alert's title, `buttons` its next steps'
    commands.

    below: a state as close to the fault as possible that is not one. heal: undoes what restoring the rows and the
    stand-ins does not undo. at_once: this alert is announced without its rule's wait.
    """

    fingerprint: str
    title: str
    buttons: Sequence[str]
    plant: Act
    below: Act = nothing
    heal: Act = nothing
    at_once: bool = False
    severity: Severity = Severity.NOTIFY

    @property
    def rule(self) -> str:
        return self.fingerprint.split(".")[0]


def _exposure(kind: str, opening: str, closing: str) -> Fault:
    """A fault that opens something to a role that should not have it."""
    title = f"1 exposure: {kind.replace('_', ' ')}"
    return Fault(f"grants.{kind}", title, ("security-audit",), sql(opening), heal=sql(closing))


FAULTS = (
    Fault("heartbeats.ingest", "ingest is down (0 of 1)", RESTART, silent(301), silent(270), severity=PAGE),
    Fault("workers.ingest", "ingest worker on one job since ", RESTART, busy(601), busy(570)),
    Fault("workers.ingest", "ingest worker does not finish starting", RESTART, starting(121), starting(90)),
    Fault("restarts.ingest", "ingest workers started 4 times in 15 min", RESTART, starts(4), starts(3)),
    Fault("crash_loop.ingest", "ingest gave up after failing", RESTART, gave_up(5), gave_up(301), severity=PAGE),
    Fault(
        "crash_loop.api",
        "api crashed (Railway)",
        MEND_API,
        crashed,
        restarting,
        severity=PAGE,
    ),
    Fault("api", "api answers 200 with status degraded", MEND_API, degraded, severity=PAGE),
    Fault("api", "api does not answer", MEND_API, api_silent, everybody_silent, severity=PAGE),
    Fault("api", "api answers HTTP 503", MEND_API, answers(503, status=1), severity=PAGE),
    Fault(
        "database",
        "database not reached by api",
        ("health", "check-config"),
        answers(503, status="degraded", db_connected=False),
        answers(503, status="degraded", db_connected=True),
        severity=PAGE,
    ),
    Fault(
        "writes",
        "the database accepts no writes",
        ("health",),
        answers(503, status="degraded", db_writable=False),
        answers(200),
        severity=PAGE,
    ),
    Fault("slow_api", "api answers in ", MEND_API, slow(250), slow(60_000)),
    Fault("intake", "intake answers 200 with status degraded", ("intake", "rollback api"), intake_degraded),
    Fault(
        "database",
        "database not reached by ingest",
        ("health", "check-config"),
        lambda scene: scene.beat("database_ok = false"),
        lambda scene: scene.beat("database_ok = NULL"),
        severity=PAGE,
    ),
    Fault(
        "visibility.schemas",
        "database hides schema intake from dragonfly_bot",
        ("check-config",),
        sql("REVOKE USAGE ON SCHEMA intake FROM dragonfly_bot"),
        heal=sql("GRANT USAGE ON SCHEMA intake TO dragonfly_bot"),
    ),
    Fault(
        "visibility.rows",
        "database may hide rows from dragonfly_bot",
        ("check-config",),
        sql(f"{WITHOUT_BYPASS}; ALTER POLICY bot_reads ON ops.job_queue USING (status = 'pending')"),
        sql(WITHOUT_BYPASS),  # its policies give it the same rows
        heal=sql("ALTER ROLE dragonfly_bot BYPASSRLS; ALTER POLICY bot_reads ON ops.job_queue USING (true)"),
    ),
    Fault(
        "visibility.answers",
        "the database does not report queue",
        ("check-config",),
        sql("REVOKE SELECT (locked_by) ON ops.job_queue FROM dragonfly_bot"),
        heal=sql("GRANT SELECT (locked_by) ON ops.job_queue TO dragonfly_bot"),
    ),
    Fault("backlog", "1 waiting, oldest since ", ("queue", "heartbeats"), waiting(301), waiting(270)),
    Fault("backlog", "1 waiting, oldest since ", ("queue", "heartbeats"), waiting(901), waiting(870), severity=PAGE),
    Fault("failed_jobs", "10 failed in the last hour", FAILED, failed(10), failed(9)),
    Fault("failure_rate", "4 of 20 jobs failed lately", FAILED, ended(16, 4), ended(15, 4)),
    Fault(
        "exhausted",
        "1 job out of attempts in the last hour",
        ("failed-jobs 1h",),
        failed(1, attempts=5),
        failed(1, attempts=4),
    ),
    Fault("unclaimed", "no worker claims jobs of type entity_resolve", ("queue",), unclaimed(61), unclaimed(30)),
    Fault("orphaned", "1 orphaned job", ("requeue orphans", "queue"), processing("nobody"), processing("ingest-1")),
    Fault(
        "memory.ingest",
        "ingest will reach its memory limit at about ",
        ("history 1h ingest", "restart ingest"),
        climbing(0.8),
        climbing(0.69),
    ),
    Fault("connections", "", ("health", "heartbeats"), connections_above(0.001), connections_above(1)),
    Fault("contention", "1 session waiting for a lock", ("queue",), contended(0.1), contended(3600)),
    Fault(
        "deployments.api",
        "api deployment a1b2c3d4 FAILED",
        ("deployments api", "rollback api"),
        latest("FAILED"),
        latest("DEPLOYING"),
        at_once=True,
    ),
    Fault(
        "deployments.ingest",
        "ingest has 0 of 1 instances running",
        ("deployments ingest", "rollback ingest"),
        starting_up,
    ),
    Fault("sha.ingest", "ingest runs ffffffff, not a1b2c3d4", ("sha",), runs_sha("ffffffff"), runs_sha(SHA)),
    Fault("sha.same", "not all services run the same SHA", ("sha",), deployed("f" * 40), deployed(SHA)),
    Fault(
        "migrations",
        "database has 1 migration that these files lack",
        ("migrations",),
        sql("INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('99991231000000', 'later')"),
        heal=sql("DELETE FROM supabase_migrations.schema_migrations WHERE version = '99991231000000'"),
    ),
    _exposure("grants", "GRANT SELECT ON ops.intake_logs TO anon", "REVOKE SELECT ON ops.intake_logs FROM anon"),
    _exposure(
        "functions", f"GRANT EXECUTE ON {REQUEUE} TO authenticated", f"REVOKE EXECUTE ON {REQUEUE} FROM authenticated"
    ),
    _exposure(
        "policies",
        "CREATE POLICY planted ON public.judgments FOR SELECT TO anon USING (true)",
        "DROP POLICY IF EXISTS planted ON public.judgments",
    ),
    _exposure(
        "rls",
        "ALTER TABLE ops.job_queue DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE ops.job_queue ENABLE ROW LEVEL SECURITY",
    ),
    _exposure(
        "definer", f"ALTER {REQUEUE} RESET search_path", f"ALTER {REQUEUE} SET search_path = pg_catalog, pg_temp"
    ),
    _exposure("public_schema", "GRANT CREATE ON SCHEMA public TO anon", "REVOKE CREATE ON SCHEMA public FROM anon"),
    _exposure(
        "defaults",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA ops GRANT SELECT ON TABLES TO anon",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA ops REVOKE SELECT ON TABLES FROM anon",
    ),
    _exposure("roles", "ALTER ROLE dragonfly_app BYPASSRLS", "ALTER ROLE dragonfly_app NOBYPASSRLS"),
    Fault("locks.api", "api is locked against deploys since ", ("help unlock",), locked(86_401), locked(86_000)),
    Fault("freezes.api", "auto-deploy of api is off", ("help unlock",), frozen(Service.API), frozen_and_locked),
    Fault(
        "freezes.ingest",
        "auto-deploy of ingest is off",
        ("help unlock",),
        frozen(Service.INGEST),
        frozen(*RUNBOOK.services),
    ),
    Fault("blindness.railway", "Railway does not answer", ("check-config",), railway_away),
    Fault(
        "blindness.slack",
        "bot is not connected to Slack",
        ("check-config",),
        connected(is_connected=False),
        connected(is_connected=True),
    ),
    Fault(
        "oncall",
        "no one is on call at level 1",
        ("oncall",),
        on_call_for(days=7),
        on_call_for(days=16),
    ),
)


def make_well(scene: Scene) -> None:
    """Undo what every fault may have changed; what only one fault changes, its own `heal` undoes."""
    scene.sessions.close()
    for fault in FAULTS:
        fault.heal(scene)
    for table in ("ops.job_queue", "ops.worker_heartbeats", "chatops.service_locks"):
        scene.run(f"DELETE FROM {table}")  # noqa: S608 - our names
    scene.system.work()
    fresh = Outside()
    for one in fields(Outside):
        setattr(scene.outside, one.name, getattr(fresh, one.name))
    scene.engine.rules = default_rules()
    connected(is_connected=True)(scene)
    on_call_for(days=365)(scene)
