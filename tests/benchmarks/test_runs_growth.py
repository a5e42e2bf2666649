"""The bot finds, claims and journals runs as fast with a million ended runs as with none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from services.clients.postgres import approvals, leases, runs
from services.clients.postgres.audit import append_audit, verify_audit
from services.clients.postgres.migrations import migrate
from services.clients.postgres.pool import Connection, connect
from services.domain.runs import NewRun, RunState, StepState, run_lease
from services.domain.secrets import Secret
from tests.benchmarks.measuring import median, ms, seconds, show
from tests.conftest import DatabaseUrls

ENDED = 1_000_000
OPEN = 20
ROUNDS = 200
AIM = 1.3
KINDS = ("ScaleService",)
STEPS: list[dict[str, Any]] = [{"kind": "ScaleService"}]
PLAN_HASH = "a" * 64

# Only the owner can insert such a history without moving each run through its states.
_HISTORY = """
ALTER TABLE chatops.runs DISABLE TRIGGER USER;
ALTER TABLE chatops.run_steps DISABLE TRIGGER USER;
ALTER TABLE chatops.run_decisions DISABLE TRIGGER USER;
INSERT INTO chatops.runs (
    state, environment, playbook, parameters, plan, plan_hash, risk, title, services, reason, channel, approvals_needed,
    kinds, format, created_at, expires_at, approved_at, started_at, ended_at
)
SELECT (ARRAY['succeeded', 'failed', 'cancelled', 'expired', 'voided'])[1 + n % 5]::chatops.run_state, 'staging',
    'scale', '{}', '{}', repeat('a', 64), 'high', 'Scale', '{dragonfly-api}', '', 'c', 1, '{ScaleService}', 1, at,
    at + interval '15 minutes', at, at, at
FROM (SELECT n, now() - (ENDED - n + 1) * interval '1 minute' AS at FROM generate_series(1, ENDED) AS n) AS seed;
INSERT INTO chatops.run_steps (run_id, position, step, state) SELECT id, 0, '{}', 'done' FROM chatops.runs;
INSERT INTO chatops.run_decisions (run_id, user_id, team_id, approve, reason, plan_hash, policy_hash)
SELECT id, 'U1', 'T1', true, '', plan_hash, 'p' FROM chatops.runs;
INSERT INTO chatops.leases (name, owner, epoch, until) SELECT 'run:' || id, 'a', 1, created_at FROM chatops.runs;
ALTER TABLE chatops.runs ENABLE TRIGGER USER;
ALTER TABLE chatops.run_steps ENABLE TRIGGER USER;
ALTER TABLE chatops.run_decisions ENABLE TRIGGER USER;
ANALYZE chatops.runs, chatops.run_steps, chatops.run_decisions, chatops.leases;
""".replace("ENDED", str(ENDED))

Call = Callable[[], Awaitable[object]]


def new_run(number: int) -> NewRun:
    """An approved run. Each has its own service, so that all can run."""
    return NewRun(
        environment="staging",
        playbook="scale",
        parameters={},
        plan={},
        plan_hash=PLAN_HASH,
        risk="low",
        title="Scale",
        services=(f"service-{number}",),
        requested_by=None,
        reason="",
        channel="c",
        approvals_needed=0,
        expires_at_s=900,
        state=RunState.APPROVED,
        kinds=KINDS,
        format=1,
    )


class Bot:
    """The calls of a replica to one database, each in its own transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._number = 0
        self.run_id = 0

    async def open_some(self) -> None:
        for _ in range(OPEN):
            await self.file()

    async def file(self) -> None:
        self._number += 1
        run_id = await runs.create_run(self._conn, new_run(self._number), STEPS)
        assert run_id is not None
        self.run_id = run_id

    async def list_to_execute(self) -> None:
        await runs.list_runs_to_execute(self._conn, kinds=KINDS, format=1, longest_lease=timedelta(minutes=1))

    async def list_open(self) -> None:
        await runs.list_open_runs(self._conn)

    async def list_latest(self) -> None:
        await runs.list_runs(self._conn, limit=20)

    async def expire(self) -> None:
        await runs.expire_runs(self._conn)

    async def read(self) -> None:
        await runs.read_run(self._conn, self.run_id)
        await runs.read_steps(self._conn, self.run_id)
        await approvals.list_decisions(self._conn, self.run_id)

    async def execute(self) -> None:
        """File a run with one step, and execute it to its end."""
        await self.file()
        conn, run_id = self._conn, self.run_id
        epoch = await leases.take_lease(conn, name=run_lease(run_id), owner="b", duration=timedelta(minutes=1))
        assert epoch is not None
        await runs.take_services(conn, run_id=run_id)
        await runs.void_waiting_runs(conn, services=[f"service-{self._number}"], except_run=run_id, outcome="")
        assert await runs.transition_run(conn, run_id=run_id, from_=[RunState.APPROVED], to=RunState.RUNNING)
        fence: dict[str, Any] = {"run_id": run_id, "position": 0, "owner": "b", "epoch": epoch}
        assert await runs.intend_step(conn, **fence, intent={})
        assert await runs.finish_step(conn, **fence, state=StepState.DONE)
        assert await runs.transition_run(conn, run_id=run_id, from_=[RunState.RUNNING], to=RunState.SUCCEEDED)

    async def append_audit(self) -> None:
        await append_audit(self._conn, actor="U1", event="run.filed", run_id=None, details={})


MEASURED: dict[str, Callable[[Bot], Call]] = {
    "what may be claimed": lambda bot: bot.list_to_execute,
    "open runs": lambda bot: bot.list_open,
    "the latest 20 runs": lambda bot: bot.list_latest,
    "expire": lambda bot: bot.expire,
    "one run, its steps and decisions": lambda bot: bot.read,
    "carry out a run of one step": lambda bot: bot.execute,
}


@pytest.mark.benchmark
@pytest.mark.timeout(400)
async def test_runs_are_found_as_fast_with_a_million_behind_them(
    empty_database_urls: DatabaseUrls, database_urls: DatabaseUrls
) -> None:
    await migrate(Secret(empty_database_urls.owner))
    owner = await connect(Secret(database_urls.owner), application_name="benchmark", timeout_s=10)
    await owner.execute(_HISTORY)
    await owner.close()
    young_conn, old_conn = [
        await connect(Secret(urls.bot), application_name="benchmark", timeout_s=10)
        for urls in (empty_database_urls, database_urls)
    ]
    young, old = Bot(young_conn), Bot(old_conn)
    await young.open_some()
    await old.open_some()

    ratios = {name: await _compare(call(young), call(old)) for name, call in MEASURED.items()}

    show(
        f"{ENDED:,} ended runs behind {OPEN} open ones, against none (aim <= {AIM} x)",
        *((name, f"{ratio:.2f} x  ({ms(new)} -> {ms(grown)})") for name, (ratio, new, grown) in ratios.items()),
    )
    await young_conn.close()
    await old_conn.close()
    assert [name for name, (ratio, _, _) in ratios.items() if ratio > 2 * AIM] == []


async def _compare(young: Call, old: Call) -> tuple[float, float, float]:
    """Return (old / young, young, old): medians in seconds, measured in turn."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        took[0].append(await seconds(young))
        took[1].append(await seconds(old))
    new, grown = median(took[0]), median(took[1])
    return grown / new, new, grown


ROWS = 100_000
# One row per statement, and regular commits: many versions of the head within one transaction are slow to follow.
_LOG = """
DO $$
BEGIN
    FOR n IN 1..ROWS LOOP
        PERFORM chatops.append_audit('U' || n % 9, 'step.ended', NULL, '{"evidence": {"replicas": 2}, "note": "x"}');
        IF n % 50 = 0 THEN COMMIT; END IF;
    END LOOP;
END
$$
""".replace("ROWS", str(ROWS))


@pytest.mark.benchmark
@pytest.mark.timeout(400)
async def test_the_audit_log_takes_rows_as_fast_as_ever_and_is_verified_in_seconds(
    as_owner: Connection, as_bot: Connection
) -> None:
    bot = Bot(as_bot)
    empty = median([await seconds(bot.append_audit) for _ in range(ROUNDS)])
    await as_owner.execute(_LOG)
    full = median([await seconds(bot.append_audit) for _ in range(ROUNDS)])

    took = await seconds(lambda: verify_audit(as_bot))

    report = await verify_audit(as_bot)
    show(
        f"the audit log with {ROWS:,} rows",
        ("append, against an empty one", f"{full / empty:.2f} x  ({ms(empty)} -> {ms(full)})"),
        ("verify all", f"{took:.2f} s"),
    )
    assert (report.ok, report.rows) == (True, ROWS + 2 * ROUNDS)
    assert full / empty < 2 * AIM
    assert took < 10
