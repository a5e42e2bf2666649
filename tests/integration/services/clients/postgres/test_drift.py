"""Drift, as the bot's own role sees it, with one fault planted each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.clients.postgres.drift import APP_RIGHTS, needed_rights, read_drift
from services.clients.postgres.pool import Connection, Database
from services.domain.database import SchemaDrift
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls


async def drift_of(urls: DatabaseUrls) -> SchemaDrift:
    """Read the drift in a read-only transaction, as the commands do."""
    database = Database.connect_lazily(Secret(urls.bot), application_name="test", timeout_s=60.0)
    try:
        async with database.read() as conn:
            return await read_drift(conn)
    finally:
        await database.close()


def refused(drift: SchemaDrift) -> Mapping[str, str]:
    return {query.name: why for query, why in drift.refused.items()}


def missing(drift: SchemaDrift) -> list[tuple[str, str]]:
    return [(right.privilege, right.on) for right in drift.missing]


async def test_nothing_has_drifted_on_the_migrated_database(database_urls: DatabaseUrls) -> None:
    drift = await drift_of(database_urls)

    assert refused(drift) == {}
    assert missing(drift) == []
    assert drift.tried > 100


@pytest.mark.parametrize(
    ("fault", "query", "why"),
    [
        ("ALTER TABLE ops.job_queue RENAME COLUMN error_message TO last_error", "list_failed_jobs",
         'column "error_message" does not exist'),
        ("ALTER TABLE chatops.runs RENAME COLUMN outcome TO ended_how", "read_run", "does not exist"),
        ("DROP TABLE chatops.audit_head CASCADE", "check_audit", 'relation "chatops.audit_head" does not exist'),
        ("ALTER TABLE chatops.installation RENAME COLUMN environment TO name", "name_environment", "does not exist"),
        ("REVOKE SELECT ON chatops.installation FROM dragonfly_bot", "read_environment", "permission denied"),
        ("DROP FUNCTION ops.requeue_jobs", "requeue_jobs", "function ops.requeue_jobs"),
        ("REVOKE EXECUTE ON FUNCTION chatops.append_audit FROM dragonfly_bot", "append_audit", "permission denied"),
        ("REVOKE INSERT ON chatops.runs FROM dragonfly_bot", "create_run", "permission denied for table runs"),
        ("ALTER TABLE intake.simplicity_files RENAME COLUMN content TO bytes", "list_blocks",
         'column "content" does not exist'),
        ("DROP FUNCTION ops.claim_pending_job", "claim_jobs", "function ops.claim_pending_job"),
    ],
)  # fmt: skip
async def test_a_query_that_no_longer_fits_is_named(
    database_urls: DatabaseUrls, as_owner: Connection, fault: str, query: str, why: str
) -> None:
    await as_owner.execute(fault)

    assert why in refused(await drift_of(database_urls))[query]


@pytest.mark.parametrize(
    ("fault", "right"),
    [
        ("REVOKE INSERT ON ops.job_queue FROM dragonfly_app", ("INSERT", "ops.job_queue")),
        ("REVOKE UPDATE ON public.judgments FROM dragonfly_app", ("UPDATE", "public.judgments")),
        ("REVOKE DELETE ON ops.worker_heartbeats FROM dragonfly_app", ("DELETE", "ops.worker_heartbeats")),
        ("REVOKE USAGE ON SCHEMA enforcement FROM dragonfly_app", ("USAGE", "enforcement")),
        ("REVOKE EXECUTE ON FUNCTION ops.claim_pending_job FROM dragonfly_app", ("EXECUTE", "ops.claim_pending_job")),
        ("DROP FUNCTION ops.claim_pending_job", ("EXECUTE", "ops.claim_pending_job")),
        ("DROP POLICY app ON ops.job_queue", ("ROWS", "ops.job_queue")),
        ("DROP TABLE enforcement.next_steps CASCADE", ("INSERT", "enforcement.next_steps")),
    ],
)
async def test_a_right_that_the_api_or_a_worker_lacks_is_named(
    database_urls: DatabaseUrls, as_owner: Connection, fault: str, right: tuple[str, str]
) -> None:
    await as_owner.execute(fault)

    assert right in missing(await drift_of(database_urls))


def test_the_rights_are_read_from_the_statements() -> None:
    statement = """INSERT INTO public.judgments AS judgment (case_number) SELECT ops.shape(x)
                   FROM intake.simplicity_raw_rows AS row JOIN pg_temp.staged USING (x)
                   ON CONFLICT (county) DO UPDATE SET case_number = excluded.case_number"""

    assert set(needed_rights(statement)) == {
        ("INSERT", "public.judgments"),
        ("UPDATE", "public.judgments"),
        ("ROWS", "public.judgments"),
        ("SELECT", "intake.simplicity_raw_rows"),
        ("ROWS", "intake.simplicity_raw_rows"),
        ("EXECUTE", "ops.shape"),
        ("USAGE", "public"),
        ("USAGE", "intake"),
        ("USAGE", "ops"),
    }


def test_every_table_and_function_of_the_app_is_among_its_rights() -> None:
    known = {subject for _, subject in APP_RIGHTS}

    assert {"ops.claim_pending_job", "ops.update_job_status", "ops.worker_heartbeats", "public.judgments"} <= known
    topics = {topic for topics in APP_RIGHTS.values() for topic in topics}
    assert {"enforcement", "uploads", "worker"} <= topics
    assert not topics & {"runs", "jobs", "requeue", "migrations"}
