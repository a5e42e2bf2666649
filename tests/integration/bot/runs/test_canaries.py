"""Runs among sources full of names, amounts and keys: no message, journal, audit row or log line leaks one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.dispatch import run as answer
from bot.types import Request
from bot.views.terminal import answer_text
from services.clients.postgres.pool import Connection
from services.domain.runs import RunState
from services.sandbox.database import VERSION
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import HISTORY, ServiceSpec
from tests.canaries import LINES, TYPED, Lines, everything_stored, found_in, person
from tests.canaries import log as log
from tests.conftest import DatabaseUrls
from tests.integration.bot.runs.conftest import PACE, TOKEN, Bench, MakeBench, local_services

KEY = "CANARYKEY"
JOB = "00000000-0000-4000-8000-000000000001"
PLANT = """
INSERT INTO ops.job_queue (id, job_type, status, attempts, error_message, payload)
VALUES (%s, 'simplicity_ingest', 'failed', 5, %s, jsonb_build_object('name', %s::text));
"""
# Like the error of a constraint, but with the row's values in it.
REFUSAL = "RAISE EXCEPTION 'refused %', {row} USING ERRCODE = 'check_violation', DETAIL = {row}, HINT = {row}"
REFUSE = f"""
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {REFUSAL.format(row="OLD.error_message")}; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON ops.job_queue FOR EACH ROW EXECUTE FUNCTION public.refuse();
"""


def hostile(spec: ServiceSpec) -> ServiceSpec:
    """A service that prints every line before it starts, and whose API answers an upload with them."""
    spoken = {"SAID_FIRST": "\n".join(LINES), "REFUSES_WITH": "\n".join(LINES), "CANARY_VALUE": person("VARIABLE")}
    return replace(spec, variables={**spec.variables, **spoken})


@pytest.fixture
async def railway(tmp_path: Path, database_urls: DatabaseUrls) -> AsyncIterator[LocalRailway]:
    commits = tuple(replace(one, message=f"{one.message} {TYPED}", author=f"{one.author} {TYPED}") for one in HISTORY)
    local = LocalRailway(
        [hostile(spec) for spec in local_services(database_urls.app)],
        directory=tmp_path,
        working_directory=tmp_path,
        token=TOKEN,
        pace=PACE,
        commits=commits,
    )
    await local.start()
    try:
        await local.wait_until_serving(30)
        yield local
    finally:
        await local.stop()


async def check_silence(bench: Bench, log: Lines, conn: Connection, run_id: int) -> None:
    """Assert that nothing that was stored, logged or answered to people about this run holds a canary."""
    assert found_in("database", await everything_stored(conn)) == []
    for line in (f"run {run_id}", f"why {run_id}", "runs", "audit"):
        posted = await answer(line, Request(), bench.world)
        reported = [
            json.dumps([posted.text, *posted.blocks]),
            answer_text(posted),
            json.dumps(posted.data, default=str),
        ]
        assert found_in(line, reported) == []
    assert found_in("log", log.seen) == []


@pytest.mark.timeout(180)
async def test_a_rollback_and_a_scale_report_none(bench: Bench, log: Lines, as_owner: Connection) -> None:
    bench.start_runner()
    target = bench.railway.commits[0].sha[:8]

    back, steps = await bench.ended(await bench.file_command("rollback", service="ingest", to=target), timeout_s=60)
    assert back.state is RunState.SUCCEEDED, steps
    run, steps = await bench.ended(await bench.file_command("scale", service="ingest", to="2"), timeout_s=60)
    assert run.state is RunState.SUCCEEDED, steps

    assert "Accept" in json.dumps(back.plan), "the commit's message is shown"
    await check_silence(bench, log, as_owner, run.id)


@pytest.mark.timeout(180)
async def test_run_hides_what_railway_quotes_in_a_refusal(bench: Bench, log: Lines, as_owner: Connection) -> None:
    bench.wire.hold("restart", "before", status=200, text=quoting(code="BAD_USER_INPUT")).release()
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("restart", service="ingest"))

    assert run.state is RunState.FAILED, steps
    assert "it answered with an error" in str(run.outcome)
    await check_silence(bench, log, as_owner, run.id)


@pytest.mark.timeout(180)
async def test_run_hides_what_railway_quotes_in_an_unclear_error(
    bench: Bench, log: Lines, as_owner: Connection
) -> None:
    """An error of an unknown kind is not a refusal: it is read back, and sent again when nothing was done."""
    bench.wire.hold("restart", "before", status=200, text=quoting(code=None)).release()
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("restart", service="ingest"))

    assert run.state is RunState.SUCCEEDED, steps
    await check_silence(bench, log, as_owner, run.id)


def quoting(*, code: str | None) -> str:
    """Railway's answer to a restart, with an error that quotes a person."""
    error = {"message": person("RAILWAYERROR"), "path": ["deploymentRestart"]}
    return json.dumps({"errors": [error | ({"extensions": {"code": code}} if code else {})]})


@pytest.mark.timeout(180)
async def test_a_row_that_the_database_quotes_is_not_reported(bench: Bench, log: Lines, as_owner: Connection) -> None:
    await bench.sql(PLANT, JOB, LINES[1], person("PAYLOAD"))
    await bench.sql(REFUSE)
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("requeue", what=JOB), timeout_s=60)

    assert run.state is not RunState.SUCCEEDED, steps
    await check_silence(bench, log, as_owner, run.id)


@pytest.mark.timeout(180)
async def test_a_row_that_a_rollback_of_the_schema_quotes_is_not_reported(
    bench: Bench, log: Lines, as_owner: Connection
) -> None:
    row = person("ROLLBACK").replace("'", "''")
    file = Path(bench.environ["DRAGONFLY_SQL"]) / "rollbacks" / f"{VERSION}_rollback.sql"
    file.write_text(f"DO $do$ BEGIN {REFUSAL.format(row=repr(row))}; END $do$;", encoding="utf-8")
    bench.start_runner()

    run, steps = await bench.ended(await bench.file_command("rollback-db", version=VERSION), timeout_s=90)

    assert run.state is RunState.FAILED, steps
    await check_silence(bench, log, as_owner, run.id)


@pytest.mark.timeout(180)
async def test_run_hides_what_the_api_answers_to_an_upload(
    make_bench: MakeBench, log: Lines, as_owner: Connection
) -> None:
    bench = await make_bench(DRAGONFLY_API_KEY=KEY)
    bench.start_runner()
    await bench.worker_alive()

    run, steps = await bench.ended(await bench.file_command("golden-path"), timeout_s=90)

    assert run.state is RunState.UNKNOWN, steps
    assert "sent 3 times without an answer" in str(run.outcome)
    await check_silence(bench, log, as_owner, run.id)
