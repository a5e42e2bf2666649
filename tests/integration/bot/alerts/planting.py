"""A healthy system and the changes that break it. Rows are written as their owner and read as `dragonfly_bot`; Railway
and the API stand in at the wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from bot.config.alerts import AlertRules
from bot.config.alerts_file import read_rules
from bot.config.oncall_file import read_schedule
from services.domain.health import BotState
from services.domain.oncall import Schedule
from services.domain.services import Service
from tests.integration.bot.alerts.conftest import Engine
from tests.integration.bot.conftest import SHA, Outside, System
from tests.locks import WAITS


@dataclass
class Scene:
    """`sessions`: the database sessions that a fault holds open; closing them ends the fault."""

    engine: Engine
    system: System
    outside: Outside
    sessions: ExitStack = field(default_factory=ExitStack)

    def run(self, sql: str) -> None:
        self.system.run(sql)

    def beat(self, columns: str, worker_id: str = "ingest-1") -> None:
        """Change columns of an existing worker's row."""
        self.run(f"UPDATE ops.worker_heartbeats SET {columns} WHERE worker_id = '{worker_id}'")  # noqa: S608 - ours

    def jobs(self, count: int, columns: str, values: str, *, job_type: str = "simplicity_ingest") -> None:
        self.run(
            f"INSERT INTO ops.job_queue (job_type, {columns})"  # noqa: S608 - ours
            f" SELECT '{job_type}', {values} FROM generate_series(1, {count})"
        )


Act = Callable[[Scene], None]


def nothing(_scene: Scene) -> None:
    """No change: the state below a limit that is not a number."""


def silent(seconds: int) -> Act:
    return lambda scene: scene.beat(f"last_heartbeat_at = now() - interval '{seconds} seconds'")


def busy(seconds: int) -> Act:
    started = f"current_job_started_at = now() - interval '{seconds} seconds'"
    return lambda scene: scene.beat(f"current_job_id = gen_random_uuid(), {started}")


def starting(seconds: int) -> Act:
    return lambda scene: scene.beat(f"status = 'starting', started_at = now() - interval '{seconds} seconds'")


def starts(count: int) -> Act:
    """So many starts without a goodbye within the window; the running worker is one of them."""

    def plant(scene: Scene) -> None:
        for number in range(count - 1):
            scene.system.beat(f"before-{number}", ago_s=30)

    return plant


def gave_up(seconds: int) -> Act:
    """A worker that stopped with an error so many seconds ago, beside the running one."""
    return lambda scene: scene.system.beat("broken", ago_s=seconds, status="error")


def crashed(scene: Scene) -> None:
    scene.outside.instances[Service.API] = "CRASHED"


def restarting(scene: Scene) -> None:
    scene.outside.instances[Service.API] = "RESTARTING"


def starting_up(scene: Scene) -> None:
    scene.outside.instances[Service.INGEST] = "INITIALIZING"


def degraded(scene: Scene) -> None:
    scene.outside.health = {"status": "degraded"}


def slow(limit_ms: int) -> Act:
    """An API that takes 300 ms, with a limit of `limit_ms`."""

    def plant(scene: Scene) -> None:
        scene.outside.api_delay_s = 0.3
        scene.engine.rules = _rules(f"[rules.slow_api]\nslower_than_ms = {limit_ms}")

    return plant


def answers(http_status: int, **body: object) -> Act:
    """The API's HTTP status and the fields of its health answer that differ from a healthy one."""

    def plant(scene: Scene) -> None:
        scene.outside.api_status = http_status
        scene.outside.health = dict(body)

    return plant


def api_silent(scene: Scene) -> None:
    scene.outside.api_refuses = True


def everybody_silent(scene: Scene) -> None:
    """Neither the API nor Railway answers: the bot's own network is down, which proves nothing about the API."""
    api_silent(scene)
    railway_away(scene)


def intake_degraded(scene: Scene) -> None:
    scene.outside.intake = {"status": "degraded"}


def unclaimed(seconds: int) -> Act:
    """A job of a type that no worker claims, due for so many seconds."""
    values = f"now() - interval '{seconds} seconds'"
    return lambda scene: scene.jobs(1, "run_at", values, job_type="entity_resolve")


def waiting(seconds: int) -> Act:
    return lambda scene: scene.jobs(1, "run_at", f"now() - interval '{seconds} seconds'")


def failed(count: int, *, attempts: int = 1) -> Act:
    values = f"'failed', {attempts}, 5, now() - interval '1 second'"
    return lambda scene: scene.jobs(count, "status, attempts, max_attempts, updated_at", values)


def ended(completed: int, broken: int) -> Act:
    def plant(scene: Scene) -> None:
        scene.jobs(completed, "status, updated_at", "'completed', now() - interval '1 second'")
        failed(broken)(scene)

    return plant


def processing(worker_id: str) -> Act:
    return lambda scene: scene.jobs(1, "status, locked_at, locked_by", f"'processing', now(), '{worker_id}'")


def climbing(to_share: float) -> Act:
    """Memory of ingest: flat for 10 min, then rising in a straight line for 5 min to this share of its limit."""
    rise = [0.2 + (to_share * 0.5 - 0.2) * n / 10 for n in range(1, 11)]
    return lambda scene: scene.outside.memory.update({Service.INGEST: [0.2] * 20 + rise})


def connections_above(share: float) -> Act:
    """A limit that the tests' few sessions exceed."""

    def plant(scene: Scene) -> None:
        scene.engine.rules = _rules(f"[rules.connections]\nshare = {share}")

    return plant


def contended(limit_s: float) -> Act:
    """Two sessions want one table that the bot does not read; the second has waited for 100 ms."""

    def plant(scene: Scene) -> None:
        scene.engine.rules = _rules(f"[rules.contention]\nlonger_than_s = {limit_s}")
        _wait_for_a_lock(scene)

    return plant


def _wait_for_a_lock(scene: Scene) -> None:
    dsn = scene.engine.urls.owner
    lock = "LOCK TABLE intake.simplicity_raw_rows IN ACCESS EXCLUSIVE MODE"
    holder = psycopg.connect(dsn)
    holder.execute(lock)

    def wait() -> None:
        with psycopg.connect(dsn, application_name="dragonfly-api") as waiter:
            waiter.execute(lock)

    thread = threading.Thread(target=wait)
    thread.start()
    scene.sessions.callback(thread.join)
    scene.sessions.callback(holder.close)
    waits = f"{WAITS} AND waitstart < clock_timestamp() - interval '100 milliseconds'"
    deadline = time.monotonic() + 60
    while scene.system.conn.execute(waits).fetchone() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def latest(status: str) -> Act:
    def plant(scene: Scene) -> None:
        scene.outside.latest[Service.API] = {"id": "d-next", "status": status}

    return plant


def runs_sha(sha: str) -> Act:
    return lambda scene: scene.beat(f"git_sha = '{sha}'")


def deployed(sha: str) -> Act:
    """Railway deployed this commit to one worker, which runs it."""

    def plant(scene: Scene) -> None:
        scene.outside.commits[Service.INGEST] = sha
        runs_sha(sha[:8])(scene)

    return plant


def locked(seconds: int) -> Act:
    def plant(scene: Scene) -> None:
        with psycopg.connect(scene.engine.urls.bot, autocommit=True) as conn:
            conn.execute(
                "INSERT INTO chatops.service_locks (service, owner, reason, locked_at)"
                " VALUES ('dragonfly-api', 'U1', 'why', now() - %s)",
                [timedelta(seconds=seconds)],
            )

    return plant


def frozen(*services: Service) -> Act:
    def plant(scene: Scene) -> None:
        scene.outside.manual = set(services)

    return plant


def frozen_and_locked(scene: Scene) -> None:
    frozen(Service.API)(scene)
    locked(60)(scene)


def railway_away(scene: Scene) -> None:
    scene.outside.railway_status = 503


def connected(*, is_connected: bool) -> Act:
    def plant(scene: Scene) -> None:
        state = BotState(SHA, datetime.now(UTC), connected=is_connected, leader=True)
        scene.engine.world.bot_state = lambda: state

    return plant


def on_call_for(days: int) -> Act:
    """A rotation that ends in so many days; the bot looks 2 weeks ahead."""

    def plant(scene: Scene) -> None:
        ends = (datetime.now(UTC) + timedelta(days=days)).date()
        schedule = read_schedule(f"{_ONCALL}\nuntil = {ends.isoformat()}".encode(), "oncall.toml")
        assert isinstance(schedule, Schedule)
        scene.engine.world.schedule = schedule

    return plant


_ONCALL = """version = 1
time_zone = "UTC"
[people.ann]
slack = "U0ANN000001"
[[levels]]
call = ["primary"]
accept_slack_only = true
wait = "5m"
[rotations.primary]
people = ["ann"]
every = "week"
starts = 2025-12-01
handover = "09:00"
"""


def _rules(text: str) -> AlertRules:
    rules = read_rules(text.encode(), "mine.toml")
    assert isinstance(rules, AlertRules)
    return rules


def sql(statement: str) -> Act:
    return lambda scene: scene.run(statement)
